"""What went wrong in a picture technically: exposure, traces of JPEG blocks, frames of one colour.

Sharpness, contrast, saturation, noise, banding and seams are those of `scoring.statistics`.
"""

import numpy as np
from numpy.typing import NDArray

Luma = NDArray[np.float64]  # (h w) in levels 0-255

DARKEST, LIGHTEST = 5, 250  # levels from which on nothing can be told apart
BLOCK = 8  # pixels of JPEG's grid
ROUNDING = 1 / 8  # of a level: what rounding alone gives
SAME = 6.0  # levels: what counts as one colour in a frame


def brightness(luma: Luma) -> float:
    """Mean of the luma, 0 to 1."""
    return float(luma.mean() / 255)


def dark_share(luma: Luma) -> float:
    """The share of pixels that are black, up to level 5."""
    return float((luma <= DARKEST).mean())


def light_share(luma: Luma) -> float:
    """The share of pixels that are white, from level 250 on."""
    return float((luma >= LIGHTEST).mean())


def blocking(luma: Luma) -> float:
    """Mean step across the lines of JPEG's grid over the mean step elsewhere, less 1: about 0 without blocks.

    The grid begins in the corner of `luma`. 0 for what is smaller than two blocks.
    """
    if min(luma.shape) < 2 * BLOCK:
        return 0.0
    return max(0.0, (grid_ratio(luma) + grid_ratio(luma.T)) / 2)


def grid_ratio(luma: Luma) -> float:
    """Of the lines between columns."""
    steps = np.abs(np.diff(luma, axis=1)).mean(0)
    is_grid = (np.arange(len(steps)) + 1) % BLOCK == 0
    return float((steps[is_grid].mean() + ROUNDING) / (steps[~is_grid].mean() + ROUNDING)) - 1


def frame_share(luma: Luma) -> float:
    """The share of the picture in bars of one colour along its sides, such as letterboxes; 1 for one colour."""
    height, width = luma.shape
    top, bottom = bars(luma)
    if top + bottom >= height:
        return 1.0
    left, right = bars(luma[top : height - bottom].T)
    return 1 - (height - top - bottom) * (width - left - right) / (height * width)


def bars(luma: Luma) -> tuple[int, int]:
    """How many rows at the top and at the bottom have one colour, that of the row at the side."""
    return bar(luma), bar(luma[::-1])


def bar(luma: Luma) -> int:
    """At the top."""
    away = np.abs(luma - np.median(luma[0])).max(axis=1)
    other = np.flatnonzero(away > SAME)
    return int(other[0]) if len(other) else len(luma)
