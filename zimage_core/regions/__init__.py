"""Repainting a part of a picture: masks, the region around them, what the autoencoder sees there, and the way back."""

from .crop import CELL, Region, cut, latent_mask, region_around
from .fill import FILLS, fill_hole
from .masks import feather, fit_masks, is_masked
from .pad import ANCHORS, Margins, margins_to_ratio, pad_picture
from .resample import cover, resample, size_for
from .stitch import Stitch, check_shape, paste

__all__ = [
    "ANCHORS",
    "CELL",
    "FILLS",
    "Margins",
    "Region",
    "Stitch",
    "check_shape",
    "cover",
    "cut",
    "feather",
    "fill_hole",
    "fit_masks",
    "is_masked",
    "latent_mask",
    "margins_to_ratio",
    "pad_picture",
    "paste",
    "region_around",
    "resample",
    "size_for",
]
