"""The Z-Image model family in PyTorch: a library that knows nothing of ComfyUI. `pipeline.py` tells the whole story.

Public names are imported when they are first used, so that `python -m zimage_core --help` does not wait for PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checkpoints import CheckpointError, load_control, load_dit, load_text_encoder, load_vae, load_vision
    from .pipeline import generate

__all__ = ["CheckpointError", "generate", "load_control", "load_dit", "load_text_encoder", "load_vae", "load_vision"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(".pipeline" if name == "generate" else ".checkpoints", __name__), name)
