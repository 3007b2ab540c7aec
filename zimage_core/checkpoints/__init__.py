"""Files in, networks out."""

from .formats.files import read_tensors
from .formats.safetensors_header import CheckpointError
from .identify.layouts import CONTROL_PUBLISHED, DIT_DIFFUSERS, VAE_DIFFUSERS, Layout
from .identify.parts import CONTROL, DIT, TEXT_ENCODER, VAE, VISION, Part
from .identify.shapes import control_config, dit_config, text_config, vae_config, vision_config
from .identify.verdict import Verdict, inspect
from .load import load_control, load_dit, load_text_encoder, load_vae, load_vision
from .lora.read import read_lora
from .lora.write import save_lora
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
