"""Resizing pictures.

Letters: b pictures, c channels, h w pixels before, H W pixels after.
"""

from torch import Tensor
from torch.nn import functional as F

from .._shapes import Float

SIDE_MULTIPLE = 16  # pixels: eight per latent cell, two cells per patch


def size_for(height: int, width: int, area: float) -> tuple[int, int]:
    """Height and width, multiples of 16, nearest to the same aspect ratio and an area in pixels."""
    scale = (area / (height * width)) ** 0.5
    tall, wide = (max(1, round(side * scale / SIDE_MULTIPLE)) * SIDE_MULTIPLE for side in (height, width))
    return tall, wide


def resample(pictures: Float[Tensor, "b c h w"], size: tuple[int, int]) -> Float[Tensor, "b c H W"]:
    """Pictures in [0, 1] at (height, width): bicubic, antialiased, in float32; the same size changes no bit."""
    if pictures.shape[-2:] == size:
        return pictures
    resized = F.interpolate(pictures.float(), size, mode="bicubic", antialias=True)
    return resized.clamp(0, 1).to(pictures.dtype)  # cubic weights overshoot at edges


def cover(pictures: Float[Tensor, "b c h w"], size: tuple[int, int]) -> Float[Tensor, "b c H W"]:
    """Pictures scaled with their aspect ratio until they cover (height, width), then center-cropped to it."""
    height, width = pictures.shape[-2:]
    scale = max(size[0] / height, size[1] / width)
    tall, wide = max(size[0], round(height * scale)), max(size[1], round(width * scale))
    top, left = (tall - size[0]) // 2, (wide - size[1]) // 2
    return resample(pictures, (tall, wide))[..., top : top + size[0], left : left + size[1]]
