"""Pictures through whatever VAE the graph holds, ours or the stock loader's."""

from typing import Any

from torch import Tensor

from ..loading.vae import CELL, check_vae
from .latents import check_channels, crop_to_patches

SMALLEST_TILE = 256  # pixels
OVERLAP = 0.25  # of a tile's side


def encode(vae: Any, pictures: Tensor) -> dict[str, Any]:
    """The LATENT of pictures (b, h, w, c) in [0, 1]."""
    check_vae(vae)
    return {"samples": vae.encode(crop_to_patches(pictures)[..., :3]), "downscale_ratio_spacial": CELL}


def decode(vae: Any, latent: dict[str, Any], tile_size: int) -> Tensor:
    """Pictures (b, h, w, c) in [0, 1]; ComfyUI falls back to tiles by itself when memory runs out."""
    check_vae(vae)
    samples = latent["samples"]
    check_channels(samples)
    if not tile_size:
        return vae.decode(samples)
    tile = max(SMALLEST_TILE, tile_size) // CELL
    return vae.decode_tiled(samples, tile_x=tile, tile_y=tile, overlap=int(tile * OVERLAP))
