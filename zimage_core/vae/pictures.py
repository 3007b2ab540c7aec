"""Pictures as tensors in [-1, 1] and as PIL images."""

from collections.abc import Sequence

import numpy as np
import torch
from einops import rearrange
from PIL import Image
from torch import Tensor

from .._shapes import Float


def to_images(pictures: Float[Tensor, "b 3 h w"]) -> list[Image.Image]:
    """8-bit RGB images; values outside [-1, 1] are clamped."""
    levels = ((pictures.float() + 1) * 127.5).clamp(0, 255).round().to(torch.uint8)
    return [Image.fromarray(picture.cpu().numpy()) for picture in rearrange(levels, "b c h w -> b h w c")]


def from_images(images: Sequence[Image.Image]) -> Float[Tensor, "b 3 h w"]:
    """Images of one size as a float32 batch."""
    stacked = np.stack([np.asarray(image.convert("RGB")) for image in images])
    return rearrange(torch.from_numpy(stacked).float() / 127.5 - 1, "b h w c -> b c h w").contiguous()
