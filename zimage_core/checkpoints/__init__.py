"""Files in, networks out."""

from .formats.errors import CheckpointError
from .formats.files import header_of, read_tensors
from .identify.inspect import inspect
from .load import load_control, load_dit, load_text_encoder, load_vae, load_vision, open_network
from .lora.about import trained_for, trigger_words
from .lora.fixed import fixed_part
from .lora.preview import preview
from .lora.read import read_lora
from .lora.row_strength import Strength, by_blocks
from .lora.rows import Row, choose, parse_rows
from .lora.write import comfyui_state, save_lora
from .networks import CONTROL, CONTROL_PUBLISHED, DIT, DIT_DIFFUSERS, TEXT_ENCODER, VAE, VAE_DIFFUSERS, VISION

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
    "Row",
    "choose",
    "comfyui_state",
    "fixed_part",
    "header_of",
    "inspect",
    "load_control",
    "load_dit",
    "load_text_encoder",
    "load_vae",
    "load_vision",
    "open_network",
    "parse_rows",
    "preview",
    "by_blocks",
    "Strength",
    "read_lora",
    "read_tensors",
    "save_lora",
    "trained_for",
    "trigger_words",
]
