"""Files in, networks out."""

from .files import CheckpointError, read_tensors
from .layouts import DIT_DIFFUSERS, VAE_DIFFUSERS, Layout
from .load import load_dit, load_text_encoder, load_vae
from .parts import DIT, TEXT_ENCODER, VAE, describe
from .shapes import dit_config, text_config, vae_config

__all__ = [
    "DIT",
    "DIT_DIFFUSERS",
    "TEXT_ENCODER",
    "VAE",
    "VAE_DIFFUSERS",
    "CheckpointError",
    "Layout",
    "describe",
    "dit_config",
    "load_dit",
    "load_text_encoder",
    "load_vae",
    "read_tensors",
    "text_config",
    "vae_config",
]
