"""Image preprocessing of SigLIP 2: resize, without cropping, to as many whole patches as the model's limit allows.

The published processor resizes 8-bit images on the CPU with PyTorch's integer resampling. So does this, for equal bits
on every device: in floating point a tenth of the pixels would be off by one level.
"""

import math

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional as F

from .._shapes import Float
from ..config import VisionConfig

SCALES = (1e-6, 100.0)  # bounds at the start of the published bisection for the scale
PRECISION = 1e-5  # distance of the bounds at its end
HALF = 127.5  # of 255 levels: mean and standard deviation 0.5


def prepare(picture: Float[Tensor, "h w channels"], config: VisionConfig) -> Float[Tensor, "3 H W"]:
    """An image in [0, 1] as float32 pixels in [-1, 1] on the same device; channels after the third are dropped."""
    height, width, channels = picture.shape
    if not height or not width or channels < 3:
        raise ValueError(
            f"a picture of {width}x{height} pixels and {channels} channels shows nothing; give one with red, green and "
            "blue and at least 1x1 pixels"
        )
    rows, columns = grid_of(height, width, config.n_positions, config.patch_size)
    levels = (picture[..., :3].detach().float() * 255).round().clamp(0, 255).to("cpu", torch.uint8)
    size = rows * config.patch_size, columns * config.patch_size
    resized = F.interpolate(rearrange(levels, "h w c -> 1 c h w"), size, mode="bilinear", antialias=True)
    return (resized[0].to(picture.device).float() - HALF) / HALF


def grid_of(height: int, width: int, limit: int, patch_size: int) -> tuple[int, int]:
    """Rows and columns of patches at the largest scale whose patches do not exceed the limit."""

    def patches(side: int, scale: float) -> int:
        return max(1, math.ceil(side * scale / patch_size))

    low, high = SCALES
    while high - low >= PRECISION:
        scale = (low + high) / 2
        if patches(height, scale) * patches(width, scale) <= limit:
            low = scale
        else:
            high = scale
    return patches(height, low), patches(width, low)
