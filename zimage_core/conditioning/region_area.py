"""Where a region is, and how much the tokens of a picture hear of its words.

Letters: H W rows and columns of a mask, h w patch grid, r regions, p = h w image tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from .._shapes import Float

TOKEN_PIXELS = 16  # side of the part of a picture that one image token stands for
Grid = tuple[int, int]  # image tokens down and across


@dataclass(frozen=True, kw_only=True)
class Box:
    """A rectangle, in parts of the picture (0 to 1) or in its pixels; it may reach out of the picture."""

    x: float
    y: float
    width: float
    height: float
    unit: Literal["part", "pixel"] = "part"

    def __post_init__(self) -> None:
        if not (self.width > 0 and self.height > 0):
            raise ValueError(
                f"This region is {self.width:g} wide and {self.height:g} high, so it covers nothing. Give it a width "
                "and a height above 0."
            )
        if self.unit == "part" and (max(self.x, self.y) >= 1 or min(self.x + self.width, self.y + self.height) <= 0):
            raise ValueError(
                f"This region begins at {self.x:g}, {self.y:g} and lies outside the picture, whose sides go from 0 to "
                "1. Move it into the picture."
            )

    def coverage(self, grid: Grid) -> Float[Tensor, "h w"]:
        """The part of every token that lies inside."""
        down, across = (1 / TOKEN_PIXELS,) * 2 if self.unit == "pixel" else grid
        rows = overlap(self.y * down, (self.y + self.height) * down, grid[0])
        columns = overlap(self.x * across, (self.x + self.width) * across, grid[1])
        return rows[:, None] * columns


@dataclass(frozen=True, eq=False)
class MaskArea:
    """A mask (H, W) of any size, 0 to 1, stretched over the picture."""

    mask: Float[Tensor, "H W"]

    def coverage(self, grid: Grid) -> Float[Tensor, "h w"]:
        """The mask's mean over every token."""
        return adaptive_avg_pool2d(self.mask[None], grid)[0]


@dataclass(frozen=True)
class Boxes:
    """Several boxes as one area."""

    boxes: tuple[Box, ...]

    def coverage(self, grid: Grid) -> Float[Tensor, "h w"]:
        """The largest part of every token that one box covers."""
        return torch.stack([box.coverage(grid) for box in self.boxes]).amax(0)


Area = Box | Boxes | MaskArea


def overlap(start: float, end: float, cells: int) -> Float[Tensor, " n"]:
    """The part of each of the cells [0, 1], [1, 2], ... that lies between start and end."""
    first = torch.arange(cells, dtype=torch.float32)
    return ((first + 1).clamp(max=end) - first.clamp(min=start)).clamp(min=0)


def token_coverage(area: Area, grid: Grid) -> Float[Tensor, " p"]:
    """The part of every image token that an area covers; one smaller than a token takes that whole token.

    Raises ValueError for boxes outside the picture.
    """
    coverage = area.coverage(grid)
    if not coverage.any() and not isinstance(area, MaskArea):
        size = f"{grid[1] * TOKEN_PIXELS}x{grid[0] * TOKEN_PIXELS}"
        raise ValueError(f"This region's box lies outside the picture of {size} pixels. Move it into the picture.")
    peak = area.mask.max() if isinstance(area, MaskArea) else coverage.new_ones(())
    return (coverage * (peak / coverage.max().clamp(min=1e-12))).clamp(max=1).flatten()


def caption_weights(
    coverages: Sequence[Float[Tensor, " p"]],
    *,
    strengths: Sequence[float],
    outsides: Sequence[float],
    global_weights: Sequence[float],
) -> Float[Tensor, "k p"]:
    """How much every image token hears of [the whole prompt, region 1, ...], k = r + 1.

    A region's words count `strength` inside and `strength` times `outside` elsewhere, in between by coverage. The whole
    prompt counts its global weight inside and 1 elsewhere; where regions overlap, the lowest counts.
    """
    covered = torch.stack(list(coverages))  # (r, p)
    strength, outside, kept = (torch.tensor(each)[:, None] for each in (strengths, outsides, global_weights))
    words = strength * (outside + (1 - outside) * covered)
    whole = (1 - covered * (1 - kept)).amin(0)
    return torch.cat((whole[None], words))
