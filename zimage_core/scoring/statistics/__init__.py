"""What a picture's pixels say without any model."""

from .light import contrast, noise, saturation, sharpness
from .picture_statistic import STATISTICS, PictureStatistic
from .steps import banding, seam_strength

__all__ = [
    "STATISTICS",
    "PictureStatistic",
    "banding",
    "contrast",
    "noise",
    "saturation",
    "seam_strength",
    "sharpness",
]
