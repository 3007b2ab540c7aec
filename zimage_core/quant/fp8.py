"""Linear layers that multiply in 8-bit floats (E4M3), a scale for every row of the weight and of the input.

Letters: n rows of a product, i input width, o output width.
"""

import torch
from torch import Tensor

from .._shapes import Float
from ..kernels import Rounding, Rows
from .linear import RoundedLinear

E4M3 = Rounding(torch.float8_e4m3fn)
FIRST_CAPABILITY = (8, 9)  # of the graphics cards that multiply E4M3 (Ada)


class Fp8Linear(RoundedLinear):
    """In E4M3."""

    def __init__(self, weight: Float[Tensor, "o i"]) -> None:
        super().__init__(weight, E4M3)

    @staticmethod
    def product(left: Rows, right: Rows) -> Float[Tensor, "n o"]:
        return (scaled_product if multiplies_fp8(left.numbers.device) else unpacked_product)(left, right)


def multiplies_fp8(device: torch.device) -> bool:
    """Whether this device has the product itself; everywhere else it is computed from the same rounded numbers."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= FIRST_CAPABILITY


def scaled_product(left: Rows, right: Rows) -> Float[Tensor, "n o"]:
    """left · right.T on tensor cores. Row scales come back in bfloat16 only."""
    out = torch._scaled_mm(  # type: ignore[no-untyped-call]
        left.numbers,
        right.numbers.T,
        scale_a=left.scale,
        scale_b=right.scale.T,
        out_dtype=torch.bfloat16,
        use_fast_accum=True,
    )
    return out.to(left.dtype)


def unpacked_product(left: Rows, right: Rows) -> Float[Tensor, "n o"]:
    """The same product in float32: what the rounding costs can be seen on any machine, its speed cannot."""
    product = left.numbers.float() @ right.numbers.float().T
    return product.mul_(left.scale).mul_(right.scale.T).to(left.dtype)
