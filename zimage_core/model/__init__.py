"""The diffusion transformer."""

from .block import Block, NormScales
from .condition import Condition, Modulation, RunBlock, Stage, VelocityField
from .references import COMFYUI, DIFFUSERS, REFERENCE, OmniRules, Reference
from .s3dit import S3DiT

__all__ = [
    "COMFYUI",
    "DIFFUSERS",
    "REFERENCE",
    "Block",
    "Condition",
    "NormScales",
    "Modulation",
    "OmniRules",
    "Reference",
    "RunBlock",
    "S3DiT",
    "Stage",
    "VelocityField",
]
