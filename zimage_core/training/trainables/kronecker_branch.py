"""LoKr in training: scale · kron(w1, up @ down) beside a layer (LyCORIS, arXiv 2309.14859).

`w1` is a small full matrix, and so the rank of the change up to its side times that of `up @ down`, from an eighth of a
LoRA's numbers.

Letters: p parts, r rank; a b height and width of w1, o i height and width of up @ down.
"""

import torch
from einops import einsum, rearrange
from torch import Tensor, nn

from ..._shapes import Float
from ...adapters import LoKr
from .branch import Branch, Place, drawn

LARGEST_SIDE = 8  # of w1


class KroneckerBranch(Branch):
    """Factors of each part; `up` is zero at first. A rank above that of a full matrix is lowered to it."""

    def __init__(self, place: Place, rank: int, alpha: float, generator: torch.Generator) -> None:
        super().__init__()
        rows, columns = largest_side(place.height), largest_side(place.width)
        height, width = place.height // rows, place.width // columns
        most = min(rank, height, width)
        self.w1 = drawn((place.n_parts, rows, columns), generator)
        self.down = drawn((place.n_parts, most, width), generator)
        self.up = nn.Parameter(torch.zeros(place.n_parts, height, most))
        self.scale = alpha / rank
        self.alpha = self.scale * most

    def forward(self, x: Float[Tensor, "... bi"], out: Float[Tensor, "... pao"]) -> Float[Tensor, "... pao"]:
        grid = rearrange(x, "... (b i) -> ... b i", b=self.w1.shape[-1])
        hidden = self.scale * einsum(grid, self.down.to(x.dtype), "... b i, p r i -> ... p b r")
        mixed = einsum(hidden, self.w1.to(x.dtype), "... p b r, p a b -> ... p a r")
        wide = einsum(mixed, self.up.to(x.dtype), "... p a r, p o r -> ... p a o")
        return rearrange(wide, "... p a o -> ... (p a o)")

    def deltas(self, dtype: torch.dtype) -> list[LoKr]:
        w1, up, down = (each.detach().to("cpu", dtype) for each in (self.w1, self.up, self.down))
        parts = zip(w1, up, down, strict=True)
        return [LoKr(w1=(first,), w2=(left, right), alpha=self.alpha) for first, left, right in parts]


def largest_side(width: int) -> int:
    """The largest divisor of a width that is at most `LARGEST_SIDE`."""
    return max(side for side in range(1, LARGEST_SIDE + 1) if width % side == 0)
