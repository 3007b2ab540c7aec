"""Latents as ComfyUI's LATENT socket carries them: raw values of the autoencoder, an eighth of the picture's sides."""

from typing import Any

import torch
from comfy import model_management
from torch import Tensor

from ..loading.vae import CELL, CHANNELS, SIDE_MULTIPLE

MEGAPIXEL = 1024 * 1024


def size_of(ratio: tuple[int, int], megapixels: float) -> tuple[int, int]:
    """Width and height in pixels nearest to a ratio and an area, both multiples of 16."""
    across, down = ratio
    unit = (megapixels * MEGAPIXEL / (across * down)) ** 0.5
    width, height = (max(SIDE_MULTIPLE, round(side * unit / SIDE_MULTIPLE) * SIDE_MULTIPLE) for side in (across, down))
    return width, height


def empty(width: int, height: int, batch_size: int) -> dict[str, Any]:
    """A blank latent."""
    samples = torch.zeros(batch_size, CHANNELS, height // CELL, width // CELL)
    return {"samples": to_intermediate(samples), "downscale_ratio_spacial": CELL}


def to_intermediate(samples: Tensor) -> Tensor:
    """Where, and in which type, ComfyUI wants latents between nodes; older versions have no say in the type."""
    dtype_of = getattr(model_management, "intermediate_dtype", lambda: torch.float32)
    return samples.to(device=model_management.intermediate_device(), dtype=dtype_of())


def crop_to_patches(pictures: Tensor) -> Tensor:
    """Pictures (b, h, w, c) cropped around the middle to sides that are multiples of 16."""
    height, width = pictures.shape[1:3]
    if height < SIDE_MULTIPLE or width < SIDE_MULTIPLE:
        raise ValueError(
            f"A picture of {width}x{height} pixels is too small to encode: "
            f"both sides must be at least {SIDE_MULTIPLE} pixels. Upscale it first."
        )
    top, left = height % SIDE_MULTIPLE // 2, width % SIDE_MULTIPLE // 2
    return pictures[
        :,
        top : top + height // SIDE_MULTIPLE * SIDE_MULTIPLE,
        left : left + width // SIDE_MULTIPLE * SIDE_MULTIPLE,
    ]


def check_channels(samples: Tensor) -> None:
    """Refuse latents of another model's VAE."""
    if samples.ndim < 4 or samples.shape[1] != CHANNELS:
        raise ValueError(
            f"This latent has shape {tuple(samples.shape)}; Z-Image needs {CHANNELS} channels of one picture. "
            "It comes from another model's VAE: encode the picture with Z-Image's (ae.safetensors)."
        )
