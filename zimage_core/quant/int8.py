"""Linear layers that multiply in 8-bit whole numbers, a scale for every row of the weight and of the input.

Letters: b batch and tokens, n rows of a product, i input width, o output width.

Weights are those of ComfyUI's `int8_tensorwise` format with a scale per row and, if rotated, its `convrot`: what is
packed here can be written to such a file, and the other way round.
"""

import torch
from torch import Tensor, nn

from .._shapes import Float, Int8
from .rotation import rotated
from .rows import Rows, row_scale

LARGEST = 127  # symmetric: -128 is not used
FEWEST_ROWS = 17  # of the left factor that CUDA's int8 product takes


def to_rows(x: Float[Tensor, "*b i"]) -> Rows:
    """Each row divided by its largest magnitude over 127 and rounded to the nearest, halves to even."""
    scale = row_scale(x, LARGEST)
    return Rows((x / scale).round_().to(torch.int8), scale)


def packed_rows(weight: Float[Tensor, "o i"], group: int | None) -> Rows:
    """A weight as its rows are stored, rotated if in groups."""
    return to_rows(weight.float() if group is None else rotated(weight.float(), group))


class Int8Linear(nn.Module):
    """Stands for a Linear without bias. Inputs are rotated as its weight is, and rounded row by row as they come."""

    weight_scale: Tensor

    def __init__(self, weight: Float[Tensor, "o i"], group: int | None) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.shape
        self.group = group
        packed = packed_rows(weight, group)
        self.weight = nn.Parameter(packed.numbers, requires_grad=False)
        self.register_buffer("weight_scale", packed.scale)

    def forward(self, x: Float[Tensor, "*b i"]) -> Float[Tensor, "*b o"]:
        rows = self._rounded(x.flatten(0, -2))  # (n, i)
        product = int_product(rows.numbers, self.weight)
        out = (product * rows.scale).mul_(self.weight_scale.T)
        return out.to(x.dtype).unflatten(0, x.shape[:-1])

    def _rounded(self, tokens: Float[Tensor, "n i"]) -> Rows:
        if self.group is None:
            return to_rows(tokens)
        # few processors multiply in 16 bits, and the rotation is a product
        return to_rows(rotated(tokens.float() if tokens.device.type == "cpu" else tokens, self.group))


def int_product(left: Int8[Tensor, "n i"], right: Int8[Tensor, "o i"]) -> Tensor:
    """left · right.T in 32-bit whole numbers, exactly."""
    short = FEWEST_ROWS - len(left)
    if left.is_cuda and short > 0:
        return torch._int_mm(torch.cat((left, left.new_zeros(short, left.shape[1]))), right.T)[:-short]  # type: ignore[no-untyped-call]
    return torch._int_mm(left, right.T)  # type: ignore[no-untyped-call]
