"""LoRA in training: scale · up @ down beside a layer (arXiv 2106.09685).

Letters: p parts, r rank, i input width, o output width of a part.
"""

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import linear

from ..._shapes import Float
from ...adapters import LowRank
from .branch import Branch, Place, drawn


class LowRankBranch(Branch):
    """Factors of each part; `up` is zero at first."""

    def __init__(self, place: Place, rank: int, alpha: float, generator: torch.Generator) -> None:
        super().__init__()
        self.down = drawn((place.n_parts, rank, place.width), generator)
        self.up = nn.Parameter(torch.zeros(place.n_parts, place.height, rank))
        self.alpha, self.scale = alpha, alpha / rank

    def change(self, x: Float[Tensor, "... i"]) -> Float[Tensor, "... po"]:
        """The adapter's own output for a layer's input."""
        # one product for all parts, and the scale where it costs least
        hidden = self.scale * linear(x, rearrange(self.down, "p r i -> (p r) i").to(x.dtype))
        parts = zip(hidden.chunk(len(self.up), dim=-1), self.up, strict=True)
        outs = [linear(part, up.to(x.dtype)) for part, up in parts]
        return outs[0] if len(outs) == 1 else torch.cat(outs, dim=-1)

    def forward(self, x: Float[Tensor, "... i"], out: Float[Tensor, "... po"]) -> Float[Tensor, "... po"]:
        return self.change(x)

    def deltas(self, dtype: torch.dtype) -> list[LowRank]:
        return [
            LowRank(up=up.detach().to("cpu", dtype), down=down.detach().to("cpu", dtype), alpha=self.alpha)
            for up, down in zip(self.up, self.down, strict=True)
        ]
