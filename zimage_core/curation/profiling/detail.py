"""How fine a picture's detail is for its size: what was blurred or enlarged has none near its finest frequency."""

import numpy as np
from numpy.typing import NDArray

SHARE = 0.9  # of the energy of all edges
RINGS = 256  # between frequency 0 and the finest one
FLOOR = 9 / 12  # levels squared a pixel: three times what rounding gives along grey, where three colours round alike
FINE = 0.75  # about what sharp pictures have at least; more makes no copy the better, nor does noise
STEEP = 5  # power: enlarged k times, k² pixels hold 1 / k of the detail, and the original has to win clearly


def detail(levels: NDArray[np.float64]) -> float:
    """The share of the finest frequency (a wave of two pixels) below which 0.9 of the gradients' energy lie, 0 to 1.

    `levels` (h w 3) are looked at along the colour in which they differ most. A step is equally strong at every
    frequency along its normal, so sharp edges give about 0.9, however many there are. Enlarged k times, a picture keeps
    about 1 / k of its number; blurred by a Gaussian of s pixels it has about 0.4 / s. What is no stronger than rounding
    does not count: an even surface has 0. Pixels that were only repeated count as sharp, and so do the steps of a grey
    gradient where there is nothing else.
    """
    plane = along_main_colour(levels)
    height, width = plane.shape
    window = np.hanning(height + 2)[1:-1, None] * np.hanning(width + 2)[None, 1:-1]
    power = np.abs(np.fft.rfft2(plane * window)) ** 2
    twice = np.ones_like(power)
    twice[:, 1 : (width + 1) // 2] = 2  # for the half of the frequencies that a real transform leaves out
    down, across = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    ring = np.minimum((2 * RINGS * np.hypot(down, across)).astype(int), RINGS).ravel()
    sums = [np.bincount(ring, each.ravel(), RINGS + 1)[:RINGS] for each in (power * twice, twice)]
    over_rounding = np.maximum(sums[0] - FLOOR * (window**2).sum() * sums[1], 0)
    energy = np.cumsum(over_rounding * (np.arange(RINGS) + 0.5) ** 2)
    return float((np.searchsorted(energy, SHARE * energy[-1]) + 1) / RINGS) if energy[-1] else 0.0


def along_main_colour(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pixels (h w) along the first principal component of their colours, about their mean: shapes of one brightness
    differ there, too.
    """
    colours = levels.reshape(-1, 3)
    centred = colours - colours.mean(0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    return (centred @ axes[:, -1]).reshape(levels.shape[:2])


def copy_quality(megapixels: float, encoding_quality: float, fineness: float) -> float:
    """Which of two copies is the better: more pixels, less lost by their encoding, and detail that fills them."""
    return megapixels * encoding_quality * (min(fineness, FINE) / FINE) ** STEEP
