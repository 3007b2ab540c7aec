"""LATENT dictionaries of ComfyUI: samples (b, 16, h/8, w/8) as the autoencoder outputs them, not scaled or shifted."""

from typing import Any

import torch
from comfy import model_management
from torch import Tensor

from ..loading.vae import CELL, CHANNELS, SIDE_MULTIPLE

MEGAPIXEL = 1024 * 1024


def size_from_ratio(ratio: tuple[int, int], megapixels: float) -> tuple[int, int]:
    """Width and height in pixels nearest to a ratio of width to height and an area, both multiples of 16."""
    unit = (megapixels * MEGAPIXEL / (ratio[0] * ratio[1])) ** 0.5
    width, height = (max(SIDE_MULTIPLE, round(side * unit / SIDE_MULTIPLE) * SIDE_MULTIPLE) for side in ratio)
    return width, height


def empty_latent(width: int, height: int, batch_size: int) -> dict[str, Any]:
    """A LATENT of zeros for images of width x height pixels."""
    samples = torch.zeros(batch_size, CHANNELS, height // CELL, width // CELL)
    return {"samples": to_intermediate(samples), "downscale_ratio_spacial": CELL}


def to_intermediate(samples: Tensor) -> Tensor:
    """Samples on the device and in the dtype ComfyUI keeps between nodes; older versions only have float32."""
    dtype_of = getattr(model_management, "intermediate_dtype", lambda: torch.float32)
    return samples.to(device=model_management.intermediate_device(), dtype=dtype_of())


def crop_to_patches(images: Tensor) -> Tensor:
    """Images (b, h, w, c) center-cropped to sides that are multiples of 16."""
    height, width = images.shape[1:3]
    if height < SIDE_MULTIPLE or width < SIDE_MULTIPLE:
        raise ValueError(
            f"A picture of {width}x{height} pixels is too small to encode: "
            f"both sides must be at least {SIDE_MULTIPLE} pixels. Upscale it first."
        )
    top, left = height % SIDE_MULTIPLE // 2, width % SIDE_MULTIPLE // 2
    return images[
        :,
        top : top + height // SIDE_MULTIPLE * SIDE_MULTIPLE,
        left : left + width // SIDE_MULTIPLE * SIDE_MULTIPLE,
    ]


def check_channels(samples: Tensor) -> None:
    """Raise ValueError for latents of another model's VAE."""
    if samples.ndim == 5 and samples.shape[1] == CHANNELS and samples.shape[2] > 1:
        raise ValueError(
            f"This latent has shape {tuple(samples.shape)}, as a video's frames have; Z-Image draws single pictures. "
            "Use Z-Image Empty Latent, or decode the frames and encode them as a batch of pictures."
        )
    if samples.ndim < 4 or samples.shape[1] != CHANNELS:
        raise ValueError(
            f"This latent has shape {tuple(samples.shape)}; Z-Image needs {CHANNELS} channels of one picture. "
            "It comes from another model's VAE: encode the picture with Z-Image's (ae.safetensors)."
        )
