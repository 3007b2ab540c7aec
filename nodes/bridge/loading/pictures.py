"""IMAGE and MASK of any node in the form ours compute with: the one place that knows what other packs send."""

from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ..network.overflow import VAE_OVERFLOWED, check_finite


def colour_images(images: Any) -> Tensor:
    """IMAGE (b, h, w, c) with at least three channels; fewer become grey, and alpha stays.

    Raises ValueError for an empty batch, for anything that is no batch of pictures, and for NaN.
    """
    if not isinstance(images, Tensor) or not images.numel():
        raise ValueError("There is no picture: the image connected here is empty.")
    if images.ndim != 4:
        raise ValueError(
            f"The image connected here has shape {tuple(images.shape)}, but a batch of pictures has four dimensions: "
            "number, height, width, channels. Connect the IMAGE output of a node like Load Image."
        )
    check_finite(images, "The image connected here", VAE_OVERFLOWED)
    return images if images.shape[-1] > 2 else images[..., :1].repeat(1, 1, 1, 3)


def rgb(images: Any) -> Tensor:
    """IMAGE as colours in float32 (b, h, w, 3), without alpha."""
    return colour_images(images)[..., :3].float()


def to_pil(picture: Tensor) -> Image.Image:
    """Colours (h, w, c) in [0, 1] to 8 bits as Save Image does: cut to whole numbers, not rounded."""
    return Image.fromarray((picture[..., :4].float().cpu() * 255.0).clamp(0, 255).byte().numpy())


def mask_batch(masks: Any) -> Tensor:
    """MASK as (b, h, w) in float32; a single one may lack its batch, and some nodes add a channel."""
    if not isinstance(masks, Tensor) or not masks.numel():
        raise ValueError("There is no mask; paint one in Load Image's mask editor and connect its mask output.")
    if masks.ndim < 2:
        raise ValueError(
            f"The mask connected here has shape {tuple(masks.shape)}, but a mask has a height and a width. "
            "Connect the MASK output of a node like Load Image."
        )
    check_finite(masks, "The mask connected here", "fix the node it comes from.")
    return masks.reshape(-1, *masks.shape[-2:]).to(torch.float32)
