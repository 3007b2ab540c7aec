"""Bytes of the stage before training: the frozen encoders, which are gone when the network comes."""

from pathlib import Path

import torch

from ...checkpoints import TEXT_ENCODER, VAE, VISION, open_network
from ...config import MAX_CAPTION_TOKENS
from ...runtime.byte_counts import encode_bytes
from ...vae import encode_budget_bytes
from .plan import PRECISIONS


def encoding_bytes(model: Path, side: int, dtype: torch.dtype) -> int:
    """Of a folder's encoders together, with the longest caption or a picture of side² pixels, whichever takes more."""
    text = open_network(model / "text_encoder", TEXT_ENCODER)
    vae = open_network(model / "vae", VAE)
    values = text.weights.n_parameters + vae.weights.n_parameters
    if (model / "siglip").is_dir():
        values += open_network(model / "siglip", VISION).weights.n_parameters
    cells = side // vae.config.downscale
    caption = encode_bytes(text.config, MAX_CAPTION_TOKENS, PRECISIONS[dtype])
    return dtype.itemsize * values + max(caption, encode_budget_bytes(vae.config, (cells, cells), dtype))


def autoencoder_bytes(model: Path, dtype: torch.dtype) -> int:
    """Of a folder's autoencoder, which stays where previews are drawn."""
    return dtype.itemsize * open_network(model / "vae", VAE).weights.n_parameters
