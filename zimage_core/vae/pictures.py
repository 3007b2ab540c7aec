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


def shrink_to_area(image: Image.Image, area: int) -> Image.Image:
    """A picture of at most about `area` pixels, Lanczos-resized as the reference pipeline does; smaller ones stay.

    Source: diffusers 0.42.1, flux2/image_processor.py, `_resize_to_target_area`.
    """
    if image.width * image.height <= area:
        return image
    scale = (area / (image.width * image.height)) ** 0.5
    size = max(1, int(image.width * scale)), max(1, int(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS)


def crop_to_patches(image: Image.Image, multiple: int = 16) -> Image.Image:
    """The middle of a picture with sides that are multiples of 16: whole patches of whole latent cells."""
    width, height = (side // multiple * multiple for side in image.size)
    if not width or not height:
        raise ValueError(
            f"a picture of {image.width}x{image.height} pixels is too small: both sides must be at least {multiple}"
        )
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))
