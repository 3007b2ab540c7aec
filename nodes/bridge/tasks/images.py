"""Encoding and decoding images with any VAE of the node graph, from this pack's loader or the stock one."""

from typing import Any

from torch import Tensor

from ....zimage_core.diagnosis import is_finite
from ..loading.pictures import rgb
from ..loading.vae import CELL, check_vae, interruptible
from ..network.overflow import MODEL_OVERFLOWED, VAE_OVERFLOWED, check_drawn
from .latents import check_channels, crop_to_patches

MIN_TILE = 256  # pixels
OVERLAP = 0.25  # of a tile's side


def encode(vae: Any, images: Tensor) -> dict[str, Any]:
    """The LATENT of images (b, h, w, c) in [0, 1]; sides are cropped to multiples of 16, alpha is dropped."""
    check_vae(vae)
    with interruptible(vae):
        return {"samples": vae.encode(crop_to_patches(rgb(images))), "downscale_ratio_spacial": CELL}


def decode(vae: Any, latent: dict[str, Any], tile_size: int) -> Tensor:
    """Images (b, h, w, 3) in [0, 1], in tiles of `tile_size` pixels; 0 decodes whole, and ComfyUI itself falls back to
    tiles when memory runs out.
    """
    check_vae(vae)
    samples = latent["samples"]
    check_channels(samples)
    check_drawn([*map(is_finite, samples)], MODEL_OVERFLOWED)
    with interruptible(vae):
        if not tile_size:
            images = vae.decode(samples)
        else:
            tile = max(MIN_TILE, tile_size) // CELL
            images = vae.decode_tiled(samples, tile_x=tile, tile_y=tile, overlap=int(tile * OVERLAP))
    check_drawn([*map(is_finite, images)], VAE_OVERFLOWED)
    return images
