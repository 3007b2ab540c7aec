"""SigLIP 2, the vision encoder that Omni and Edit models read reference images through."""

from .preprocess import grid_of, prepare
from .siglip2 import Siglip2

__all__ = ["Siglip2", "grid_of", "prepare"]
