"""Sharpness, contrast, saturation and noise of a picture, each one formula over its 8-bit levels."""

import math

import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.float64]

LUMA = np.array([0.299, 0.587, 0.114])  # Rec. 601, as Pillow's "L"


def luma(rgb: Levels) -> Levels:
    """Brightness (h w) in levels 0-255 of a picture (h w 3)."""
    return rgb @ LUMA


def sharpness(rgb: Levels) -> float:
    """Variance of the Laplacian of the luma; photographs in focus have hundreds to thousands, blurred ones tens.

    For a wave of amplitude a and frequency w along one axis it is a²/2 · (2 - 2 cos w)².
    """
    y = luma(rgb)
    laplacian = y[:-2, 1:-1] + y[2:, 1:-1] + y[1:-1, :-2] + y[1:-1, 2:] - 4 * y[1:-1, 1:-1]
    return float(laplacian.var())


def contrast(rgb: Levels) -> float:
    """Standard deviation of the luma as a part of the range: 0 for one brightness, 0.5 for half black, half white."""
    return float(luma(rgb).std() / 255)


def saturation(rgb: Levels) -> float:
    """Mean of HSV's saturation, 0 for grey to 1 for pure colours; black counts as 0."""
    highest, lowest = rgb.max(-1), rgb.min(-1)
    return float(((highest - lowest) / np.maximum(highest, 1)).mean())


def noise(rgb: Levels) -> float:
    """Standard deviation of the noise in levels, by Immerkaer's estimate (CVIU 1996).

    It is the mean response to a kernel that is zero on planes and along edges; fine texture counts as noise, too.
    """
    y = luma(rgb)
    rows = y[:-2] - 2 * y[1:-1] + y[2:]
    response = np.abs(rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:])
    return float(math.sqrt(math.pi / 2) / 6 * response.mean())
