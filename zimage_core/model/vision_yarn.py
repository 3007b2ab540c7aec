"""Vision YaRN: each rotated pair of rows and columns is slowed by how often it turns within the native side.

Pairs that turn often are left as trained, those that turn less than once span the larger area, and those in between are
scaled as NTK-aware scaling does. Where these bands lie follows the noise level, and attention to the picture is
sharpened while it is high. YaRN: arXiv 2309.00071; with noise levels: DyPE, arXiv 2510.20766; numbers as in
wildminder/ComfyUI-DyPE, which recommends it for Z-Image.

Letters: m rotated pairs, n image tokens, r pairs of rows and columns.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from .._shapes import Float

SLOW = (1.25, 0.75)  # turns within the native side between which NTK goes over into interpolation
FAST = (16.0, 2.0)  # and between which trained rotations go over into scaled ones
SHARPENING = 0.1  # of the logarithm of the scale, at pure noise


class Scales(NamedTuple):
    """How much larger an axis, and the longer one, is than the native side; and DyPE's exponent of the noise level."""

    axis: float
    longest: float
    bands: float  # the power to which the limits of the bands are raised


def frequencies(dim: int, theta: float, native: int, scales: Scales) -> Float[Tensor, " m"]:
    """Angles per patch of the `dim` / 2 pairs of an axis with `native` patches, in float64."""
    powers = torch.arange(0, dim, 2, dtype=torch.float64) / dim
    trained = theta**-powers
    ntk = (theta * scales.longest ** (dim / (dim - 2))) ** -powers
    slow, fast = (kept(dim, theta, native, [turns**scales.bands for turns in limits]) for limits in (SLOW, FAST))
    scaled = torch.lerp(trained / scales.axis, ntk, slow)
    return torch.lerp(scaled, trained, fast)


def kept(dim: int, theta: float, native: int, turns: list[float]) -> Float[Tensor, " m"]:
    """1 for pairs that turn at least turns[0] times within `native` patches, 0 for less than turns[1], between a ramp.

    Its ends are whole pairs.
    """
    first, last = (dim * math.log(native / (each * 2 * math.pi)) / (2 * math.log(theta)) for each in turns)
    low = max(0, math.floor(first))
    high = max(low, min(dim // 2, math.ceil(last)))
    if low == high:
        return (torch.arange(dim // 2, dtype=torch.float64) <= low).double()
    return 1 - ((torch.arange(dim // 2, dtype=torch.float64) - low) / (high - low)).clamp(0, 1)


def sharpening(longest: float, sigma: float, exponent: float) -> float:
    """What rotations of the picture are multiplied with, so that its attention to itself is its square as sharp."""
    return 1 + SHARPENING * math.log(longest) * sigma**exponent
