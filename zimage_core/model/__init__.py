"""The diffusion transformer."""

from .block import Block, NormWeights
from .condition import Condition, Modulation, RunBlock, Stage, VelocityField
from .references import COMFYUI, DEFAULT_RULES, DIFFUSERS, OmniRules, Reference
from .s3dit import S3DiT

__all__ = [
    "COMFYUI",
    "DIFFUSERS",
    "DEFAULT_RULES",
    "Block",
    "Condition",
    "NormWeights",
    "Modulation",
    "OmniRules",
    "Reference",
    "RunBlock",
    "S3DiT",
    "Stage",
    "VelocityField",
]
