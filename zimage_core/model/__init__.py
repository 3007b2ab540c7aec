"""The diffusion transformer."""

from .block import Block, Gains
from .s3dit import Condition, Modulation, S3DiT, Velocity

__all__ = ["Block", "Condition", "Gains", "Modulation", "S3DiT", "Velocity"]
