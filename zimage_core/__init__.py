"""The Z-Image model family in PyTorch: a library that knows nothing of ComfyUI. `pipeline.py` tells the whole story."""

from .checkpoints import CheckpointError, load_control, load_dit, load_text_encoder, load_vae, load_vision
from .pipeline import generate

__all__ = ["CheckpointError", "generate", "load_control", "load_dit", "load_text_encoder", "load_vae", "load_vision"]
