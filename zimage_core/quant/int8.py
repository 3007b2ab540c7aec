"""Linear layers that multiply in 8-bit whole numbers, a scale for every row of the weight and of the input.

Weights are those of ComfyUI's `int8_tensorwise` format with a scale per row and, if rotated, its `convrot`: what is
packed here can be written to such a file, and the other way round.

Letters: n rows of a product, i input width, o output width.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .._shapes import Float, Int8
from ..kernels import Rounding, Rows, rounded
from ..kernels.selection import fastest
from .linear import RoundedLinear

FEWEST_ROWS = 17  # of the left factor that CUDA's int8 product takes
FIRST_CAPABILITY = (8, 0)  # of the graphics cards whose int8 products Triton compiles (Ampere)

Product = Callable[[Rows, Rows], Tensor]


def int8_rounding(group: int | None) -> Rounding:
    """To whole numbers, after columns were turned in groups, if they are."""
    return Rounding(torch.int8, group)


class Int8Linear(RoundedLinear):
    """In whole numbers. Inputs are rotated as its weight is."""

    def __init__(self, weight: Float[Tensor, "o i"], group: int | None) -> None:
        super().__init__(weight, int8_rounding(group))

    @staticmethod
    def product(left: Rows, right: Rows) -> Float[Tensor, "n o"]:
        if not left.numbers.is_cuda or torch.compiler.is_compiling():
            return product_then_scales(left, right)
        width = left.numbers.shape[-1]
        return fastest(product_then_scales, load_fused, exercise, left.numbers.device, left.dtype, width)(left, right)


def product_then_scales(left: Rows, right: Rows) -> Float[Tensor, "n o"]:
    """left · right.T in whole numbers, then both scales, by stock operations."""
    product = int_product(left.numbers, right.numbers)
    return product.float().mul_(left.scale).mul_(right.scale.T).to(left.dtype)


def int_product(left: Int8[Tensor, "n i"], right: Int8[Tensor, "o i"]) -> Tensor:
    """left · right.T in 32-bit whole numbers, exactly."""
    short = FEWEST_ROWS - len(left)
    if left.is_cuda and short > 0:
        return torch._int_mm(torch.cat((left, left.new_zeros(short, left.shape[1]))), right.T)[:-short]  # type: ignore[no-untyped-call]
    return torch._int_mm(left, right.T)  # type: ignore[no-untyped-call]


def load_fused(device: torch.device) -> Sequence[Product]:
    """Triton's: one that scales what PyTorch multiplied, and where Triton can, one that multiplies and scales."""
    from . import fused_int8 as fused

    def product_then_fused_scales(left: Rows, right: Rows) -> Tensor:
        return fused.scaled(int_product(left.numbers, right.numbers), left, right)

    multiplies = torch.cuda.get_device_capability(device) >= FIRST_CAPABILITY
    return (product_then_fused_scales, fused.scaled_product)[: 2 if multiplies else 1]


def exercise(product: Product, x: Tensor) -> Tensor:
    """A square layer on four times as many tokens as x (1, n, i) has."""
    rows = rounded(x[0], int8_rounding(None))
    repeats = -(-x.shape[-1] // len(rows.numbers))
    left, right = (Rows(rows.numbers.repeat(times, 1), rows.scale.repeat(times, 1), x.dtype) for times in (4, repeats))
    return product(left, right)
