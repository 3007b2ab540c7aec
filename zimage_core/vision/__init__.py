"""SigLIP 2, the eye with which Omni and Edit look at reference pictures."""

from .preprocess import grid_of, prepare
from .siglip2 import Siglip2

__all__ = ["Siglip2", "grid_of", "prepare"]
