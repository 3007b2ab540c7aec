"""Linear layers that multiply in 8-bit floats (E4M3), a scale for every row of the weight and of the input.

A scale for a whole tensor of activations collapses on this model, whose outliers reach 6e4; one per token does not.

Letters: b batch and tokens, n rows of a product, i input width, o output width.
"""

import torch
from torch import Tensor, nn

from .._shapes import Float
from .rows import Rows, row_scale

E4M3 = torch.float8_e4m3fn
LARGEST = torch.finfo(E4M3).max
FIRST_CAPABILITY = (8, 9)  # of the graphics cards that multiply E4M3 (Ada)


def to_rows(x: Float[Tensor, "*b i"]) -> Rows:
    """Each row divided by its largest magnitude over 448 and rounded to E4M3."""
    scale = row_scale(x, LARGEST)
    return Rows((x / scale).to(E4M3), scale)


class Fp8Linear(nn.Module):
    """Stands for a Linear without bias. Its inputs are rounded row by row as they come."""

    weight_scale: Tensor

    def __init__(self, weight: Float[Tensor, "o i"]) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.shape
        packed = to_rows(weight.float())
        self.weight = nn.Parameter(packed.numbers, requires_grad=False)
        self.register_buffer("weight_scale", packed.scale)

    def forward(self, x: Float[Tensor, "*b i"]) -> Float[Tensor, "*b o"]:
        rows = to_rows(x.flatten(0, -2))
        multiply = scaled_product if multiplies_fp8(x.device) else unpacked_product
        return multiply(rows, Rows(self.weight, self.weight_scale), x.dtype).unflatten(0, x.shape[:-1])


def multiplies_fp8(device: torch.device) -> bool:
    """Whether this device has the product itself; everywhere else it is computed from the same rounded numbers."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= FIRST_CAPABILITY


def scaled_product(left: Rows, right: Rows, dtype: torch.dtype) -> Float[Tensor, "n o"]:
    """left · right.T on tensor cores. Row scales come back in bfloat16 only."""
    out = torch._scaled_mm(  # type: ignore[no-untyped-call]
        left.numbers,
        right.numbers.T,
        scale_a=left.scale,
        scale_b=right.scale.T,
        out_dtype=torch.bfloat16,
        use_fast_accum=True,
    )
    return out.to(dtype)


def unpacked_product(left: Rows, right: Rows, dtype: torch.dtype) -> Float[Tensor, "n o"]:
    """The same product in float32: what the rounding costs can be seen on any machine, its speed cannot."""
    product = left.numbers.float() @ right.numbers.float().T
    return product.mul_(left.scale).mul_(right.scale.T).to(dtype)
