"""Inpainting and outpainting: masks, the region around them that is sampled, its fill, and pasting it back.

Pictures are (b, c, h, w) in [0, 1].
"""

from .crop import CELL, Region, crop_region, latent_mask, region_around
from .fill import FILLS, fill_hole
from .masks import feather, fit_masks, is_masked
from .pad import ANCHORS, Margins, margins_to_ratio, pad_picture
from .parts import MOST_PARTS, Box, box_mask, parts
from .resample import cover, resample, size_for
from .stitch import Stitch, check_shape, is_foreign, paste, paste_all

__all__ = [
    "ANCHORS",
    "CELL",
    "FILLS",
    "MOST_PARTS",
    "Box",
    "Margins",
    "Region",
    "Stitch",
    "box_mask",
    "check_shape",
    "cover",
    "crop_region",
    "feather",
    "fill_hole",
    "fit_masks",
    "is_foreign",
    "is_masked",
    "latent_mask",
    "margins_to_ratio",
    "pad_picture",
    "parts",
    "paste",
    "paste_all",
    "region_around",
    "resample",
    "size_for",
]
