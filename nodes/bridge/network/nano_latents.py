"""Nano's latents for ComfyUI: FLUX's scale and shift, and previews in nano's own colors instead of FLUX's."""

from functools import cache
from typing import Any

import comfy.latent_formats
from safetensors.torch import load_file
from torch import Tensor

from ....zimage_core.nano.files import FOLDER, PREVIEW
from ....zimage_core.vae.linear_decoder import decode_linear

IDENTITY = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]


class NanoLatents(comfy.latent_formats.Flux):
    """ComfyUI applies a latent format's RGB factors to `latent_rgb_factors_reshape(x0)`, here the linear decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.latent_rgb_factors: Any = IDENTITY
        self.latent_rgb_factors_bias = None
        self.latent_rgb_factors_reshape = decode_preview
        self.taesd_decoder_name = None  # FLUX's tiny autoencoder reads other latents


def decode_preview(latents: Tensor) -> Tensor:
    """Half-size pictures (b, 3, 4 h, 4 w), about [-1, 1], from nano's model-space latents (b, 16, h, w)."""
    return decode_linear(latents.float(), weights())


@cache
def weights() -> dict[str, Tensor]:
    """The linear decoder that ships with nano's weights."""
    return load_file(FOLDER / PREVIEW)
