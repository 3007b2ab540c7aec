"""The diffusion transformer."""

from .block import Block, Gains
from .s3dit import Condition, Modulation, RunBlock, S3DiT, Stage, Velocity

__all__ = ["Block", "Condition", "Gains", "Modulation", "RunBlock", "S3DiT", "Stage", "Velocity"]
