"""What the linear layers of both 8-bit formats have in common.

Letters: b batch and tokens, i input width, o output width.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from .._shapes import Float
from ..kernels import Rounding, Rows, rounded, roundings


class RoundedLinear(nn.Module, ABC):
    """Stands for a Linear without bias. Its inputs are rounded row by row as they come, or come rounded.

    Who makes its inputs can ask for its `rounding` and round them on the way.
    """

    weight_scale: Tensor

    def __init__(self, weight: Float[Tensor, "o i"], rounding: Rounding) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.shape
        self.rounding = rounding
        packed = rounded(weight.float(), rounding)
        self.weight = nn.Parameter(packed.numbers, requires_grad=False)
        self.register_buffer("weight_scale", packed.scale)

    def forward(self, x: Float[Tensor, "*b i"] | Rows) -> Float[Tensor, "*b o"]:
        rows = x if isinstance(x, Rows) else roundings(x, self.rounding).rounded(x, self.rounding)
        flat = Rows(rows.numbers.flatten(0, -2), rows.scale.flatten(0, -2), rows.dtype)
        product = self.product(flat, Rows(self.weight, self.weight_scale, torch.float32))
        return product.unflatten(0, rows.shape[:-1])

    @staticmethod
    @abstractmethod
    def product(left: Rows, right: Rows) -> Tensor:
        """left (n, i) times right (o, i) transposed: (n, o) in the type of what the left was rounded from."""
