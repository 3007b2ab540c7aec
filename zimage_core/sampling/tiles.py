"""Overlapping tiles of one latent, whose velocities are blended at every step.

    velocity = blend(tiling, x, lambda tile, window: velocity_of(tile))

All tiles are parts of one latent with one noise, and they meet again after every step, so that no seam can grow between
them. The tiles' weights add up to 1 everywhere (MultiDiffusion, arXiv 2302.08113, with smooth weights in place of
equal ones).

Letters: b batch, c channels, h w cells of the latent, y x cells of a tile.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from math import ceil

import torch
from torch import Tensor

from .._shapes import Float

Evaluate = Callable[[Tensor, "Window"], Tensor]


@dataclass(frozen=True)
class Window:
    """Where a tile lies in its latent, in cells."""

    top: int
    left: int
    height: int
    width: int

    def of(self, x: Tensor) -> Tensor:
        """A view of this part of x (..., h, w)."""
        return x[..., self.top : self.top + self.height, self.left : self.left + self.width]


@dataclass(frozen=True, kw_only=True)
class Tiling:
    """Tiles of `height` x `width` cells that overlap by at least `overlap` cells; a side shorter than a tile is one."""

    height: int
    width: int
    overlap: int

    def __post_init__(self) -> None:
        if min(self.height, self.width) < 1 or self.overlap < 0:
            raise ValueError(
                f"tiles of {self.height}x{self.width} cells with an overlap of {self.overlap} are none; "
                "sides must be positive"
            )
        if self.overlap >= min(self.height, self.width):
            raise ValueError(
                f"The overlap is {8 * self.overlap} pixels, but a tile has only {8 * min(self.height, self.width)}: "
                "make the overlap smaller than the tile, best a quarter of it."
            )

    def windows(self, size: tuple[int, int]) -> list[Window]:
        """The tiles of a latent of (h, w) cells, row by row."""
        height, width = min(self.height, size[0]), min(self.width, size[1])
        tops, lefts = starts(size[0], height, self.overlap), starts(size[1], width, self.overlap)
        return [Window(top, left, height, width) for top, left in product(tops, lefts)]

    def largest(self, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width of what a step evaluates at once of a latent of (h, w) cells."""
        return min(self.height, size[0]), min(self.width, size[1])


def starts(length: int, tile: int, overlap: int) -> list[int]:
    """Where the fewest tiles of one axis begin that cover it and overlap enough: evenly spaced, from edge to edge."""
    if tile >= length:
        return [0]
    count = ceil((length - overlap) / (tile - overlap))
    return [round(index * (length - tile) / (count - 1)) for index in range(count)]


def axis_weights(length: int, tile: int, overlap: int) -> Float[Tensor, "k length"]:
    """The weight of each of an axis's k tiles at every cell, in float32; they add up to 1.

    A tile's weight rises over what it shares with its neighbour by 3t² - 2t³, and is 1 beyond.
    """
    begins = starts(length, tile, overlap)
    cells = torch.arange(length, dtype=torch.float32) + 0.5
    rows: list[Tensor] = []
    for index, start in enumerate(begins):
        inside = ((cells > start) & (cells < start + tile)).float()
        if index:
            inside *= rise(cells - start, begins[index - 1] + tile - start)
        if index + 1 < len(begins):
            inside *= rise(start + tile - cells, start + tile - begins[index + 1])
        rows.append(inside)
    weights = torch.stack(rows)
    return weights / weights.sum(dim=0)


def rise(distance: Tensor, width: int) -> Tensor:
    """A smooth step from 0 at distance 0 to 1 at distance `width`; a hard one if that is 0."""
    if width < 1:
        return (distance > 0).float()
    t = (distance / width).clamp(0, 1)
    return t * t * (3 - 2 * t)


def blend(tiling: Tiling, x: Float[Tensor, "b c h w"], evaluate: Evaluate) -> Float[Tensor, "b c h w"]:
    """What `evaluate` returns of every tile (b, c, y, x), blended in float32; of a single tile bit for bit."""
    size = (x.shape[-2], x.shape[-1])
    windows = tiling.windows(size)
    if len(windows) == 1:
        return evaluate(x, windows[0])
    height, width = tiling.largest(size)
    rows = axis_weights(size[0], height, tiling.overlap).to(x.device)
    columns = axis_weights(size[1], width, tiling.overlap).to(x.device)
    blended = torch.zeros(x.shape, dtype=torch.float32, device=x.device)
    out_dtype = x.dtype
    for window, (row, column) in zip(windows, product(rows, columns), strict=True):
        out = evaluate(window.of(x), window)
        weight = row[window.top : window.top + height, None] * column[window.left : window.left + width]  # (y, x)
        window.of(blended).add_(out * weight)
        out_dtype = out.dtype
    return blended.to(out_dtype)


def seam_error(pictures: Float[Tensor, "b c H W"], rows: list[int], columns: list[int]) -> float:
    """How much steeper pictures are where tiles end than elsewhere, less 1: 0 means that no seam can be seen.

    `rows` and `columns` are pixels at which a tile begins or ends. Compared are mean absolute differences between the
    two pixels on either side of those borders with those between all other neighbours.
    """
    steps = pictures.diff(dim=-2).abs().mean(dim=(0, 1, 3)), pictures.diff(dim=-1).abs().mean(dim=(0, 1, 2))
    at, away = [], []
    for along, borders in zip(steps, (rows, columns), strict=True):
        is_border = torch.zeros(len(along), dtype=torch.bool)
        is_border[[border - 1 for border in borders]] = True
        at.append(along[is_border])
        away.append(along[~is_border])
    return float(torch.cat(at).mean() / torch.cat(away).mean()) - 1


def borders(length: int, tile: int, overlap: int) -> list[int]:
    """The cells of an axis, within it, at which a tile begins or ends."""
    begins = starts(length, tile, overlap)
    return sorted({*begins[1:], *(begin + tile for begin in begins[:-1])})
