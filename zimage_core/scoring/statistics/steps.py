"""Steps where a picture should be smooth: bands in gradients, and seams across it."""

import numpy as np

from .light import Levels, luma

FLAT = 3  # equal pixels on each side that make a jump the edge of a band
LARGEST_BAND = 12  # levels; a larger jump is an edge of something
NEIGHBOURS = 8  # lines on each side with which a line is compared


def banding(rgb: Levels) -> float:
    """Edges of bands per 100 pixels, along rows and columns: jumps of 2 to 12 levels between flat runs.

    A gradient in steps of one level has none, the best that 8 bits can do; one in steps of q levels has one edge for
    each step.
    """
    y = np.round(luma(rgb))
    edges = [band_edges(y), band_edges(y.T)]
    return 100 * sum(edges) / (2 * y.size)


def band_edges(y: Levels) -> int:
    """How many edges of bands are met along the rows."""
    steps = np.abs(np.diff(y, axis=1))
    jumps = (steps >= 2) & (steps <= LARGEST_BAND)
    flat = steps == 0
    middle = jumps[:, FLAT:-FLAT]
    for distance in range(1, FLAT):
        before = flat[:, FLAT - distance : flat.shape[1] - FLAT - distance]
        after = flat[:, FLAT + distance : flat.shape[1] - FLAT + distance]
        middle = middle & before & after
    return int(middle.sum())


def seam_strength(rgb: Levels) -> float:
    """How much the strongest straight line across the whole picture, across or down, sticks out of its neighbours.

    Each line between two rows or columns has a mean step; the number is the largest step over the median of the steps
    around it, less 1. About 0 for a picture without seams; frames and horizons that fill the picture count, too.
    """
    y = luma(rgb)
    return max(strongest_line(y), strongest_line(y.T))


def strongest_line(y: Levels) -> float:
    """Of the lines between columns."""
    steps = np.abs(np.diff(y, axis=1)).mean(0)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(steps, NEIGHBOURS, "reflect"), 2 * NEIGHBOURS + 1)
    usual = np.median(around, axis=1)
    return float((steps / np.maximum(usual, 1 / 8)).max() - 1)  # an eighth of a level is what rounding alone gives
