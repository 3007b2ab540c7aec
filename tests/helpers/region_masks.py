"""Masks and prepared regions for the tests of inpainting."""

import torch

from zimage_core.regions import (
    Stitch,
    crop_region,
    feather,
    region_around,
)

SIZES = [(1, 1), (1, 40), (7, 5), (16, 16), (17, 100), (331, 517), (64, 64)]


def mask_of(size, *pixels):
    """A mask of the given pixels."""
    mask = torch.zeros(1, *size, dtype=torch.bool)
    for row, column in pixels:
        mask[0, row, column] = True
    return mask


def prepared(pictures, masks, *, grow=0, width=0, context=1.0, area=0.0):
    """The crop, the stitch and the opacity that the bridge computes from a picture and a mask."""
    alpha = feather(masks, grow, width)
    region = region_around(alpha > 0, context, area)
    stitch = Stitch(originals=pictures, alpha=region.window(alpha), region=region)
    return crop_region(region.window(pictures), region), stitch, alpha
