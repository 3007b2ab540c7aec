"""Pictures as vectors beside a small look at each: by a descriptor without a model, or by any encoder."""

from .embed import EncoderChoice, embed_stage, picture_for
from .looks import LOOK, look_of
from .perceptual import Perceptual

__all__ = ["LOOK", "EncoderChoice", "Perceptual", "embed_stage", "look_of", "picture_for"]
