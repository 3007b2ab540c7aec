"""Files in, networks out."""

from .files import read_tensors
from .header import CheckpointError
from .layouts import CONTROL_PUBLISHED, DIT_DIFFUSERS, VAE_DIFFUSERS, Layout
from .load import load_control, load_dit, load_text_encoder, load_vae, load_vision
from .lora_files import read_lora
from .lora_write import save_lora
from .parts import CONTROL, DIT, TEXT_ENCODER, VAE, VISION, Part
from .shapes import control_config, dit_config, text_config, vae_config, vision_config
from .verdict import Verdict, inspect
from .weights import Weights, open_part

__all__ = [
    "CONTROL",
    "CONTROL_PUBLISHED",
    "DIT",
    "DIT_DIFFUSERS",
    "TEXT_ENCODER",
    "VAE",
    "VAE_DIFFUSERS",
    "VISION",
    "CheckpointError",
    "Layout",
    "Part",
    "Verdict",
    "Weights",
    "control_config",
    "dit_config",
    "inspect",
    "load_control",
    "load_dit",
    "load_text_encoder",
    "load_vae",
    "load_vision",
    "open_part",
    "read_lora",
    "read_tensors",
    "save_lora",
    "text_config",
    "vae_config",
    "vision_config",
]
