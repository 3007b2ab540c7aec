"""DoRA in training: a LoRA that also learns the length of every row of the weight (arXiv 2402.09353, equation 5).

W' = magnitude · (W + dV) / |W + dV|. The lengths |W + dV| count as constants in the gradient (section 4.3), so that
nothing as large as the weight is kept for it.

Letters: p parts, i input width, o output width of a part.
"""

from typing import cast

import torch
from torch import Tensor, nn

from ..._shapes import Float
from ...adapters import DoRA, can_unpack, unpacked_weight
from .branch import Branch, Place
from .low_rank_branch import LowRankBranch


class DoraBranch(Branch):
    """A LoRA for the direction, and the rows' lengths, which are those of the weight at first."""

    def __init__(self, place: Place, rank: int, alpha: float, generator: torch.Generator) -> None:
        super().__init__()
        if not can_unpack(place.layer):
            raise ValueError(
                "the model is quantized in a form that cannot be unpacked here, and a DoRA needs the lengths of its "
                "rows; give the model in bfloat16, or train a LoRA"
            )
        self.direction = LowRankBranch(place, rank, alpha, generator)
        self.place = (place,)  # in a tuple, so that the layer's parameters are not this module's
        self.magnitude = nn.Parameter(self._lengths())

    @torch.no_grad()
    def _lengths(self) -> Float[Tensor, " po"]:
        """|W + dV| of every row."""
        (place,), direction = self.place, self.direction
        weight = unpacked_weight(place.layer, direction.up.device)
        change = torch.cat([up @ down for up, down in zip(direction.up, direction.down, strict=True)])
        return torch.add(weight, change, alpha=direction.scale).norm(dim=1)

    def forward(self, x: Float[Tensor, "... i"], out: Float[Tensor, "... po"]) -> Float[Tensor, "... po"]:
        (place,) = self.place
        bias = cast("Tensor | None", getattr(place.layer, "bias", None))
        product = out if bias is None else out - bias.to(out)
        lengths = self._lengths()
        excess = (self.magnitude - lengths) / lengths.clamp_min(torch.finfo(lengths.dtype).eps)  # of the factor over 1
        change = self.direction.change(x)
        return excess.to(out.dtype) * (product + change) + change

    def deltas(self, dtype: torch.dtype) -> list[DoRA]:
        """The lengths stay float32: rounded to 8 bits they would scale every row by another 0.2 %."""
        lengths = self.magnitude.detach().cpu().chunk(len(self.direction.up))
        directions = self.direction.deltas(dtype)
        return [DoRA(direction=each, magnitude=of[:, None]) for each, of in zip(directions, lengths, strict=True)]
