"""A larger canvas around a picture.

Letters: b pictures, c channels, h w pixels, H W pixels of the canvas.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from .._shapes import Bool, Float

ANCHORS = {"middle": 0.5, "left or top": 0.0, "right or bottom": 1.0}  # share of the new pixels before the picture


@dataclass(frozen=True, kw_only=True)
class Margins:
    """New pixels on each side."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def __post_init__(self) -> None:
        if min(self.left, self.top, self.right, self.bottom) < 0:
            raise ValueError(f"margins must not be negative; to cut a picture, crop it first: {self}")


def margins_to_ratio(size: tuple[int, int], ratio: tuple[int, int], anchor: str = "middle") -> Margins:
    """What to add so that a picture of (height, width) comes to a ratio of width to height, nothing being cut;
    `anchor` says where the old picture then lies."""
    (height, width), (across, down) = size, ratio
    wider = max(0, round(height * across / down) - width)
    taller = max(0, round(width * down / across) - height)
    before = ANCHORS[anchor]
    left, top = round(wider * before), round(taller * before)
    return Margins(left=left, top=top, right=wider - left, bottom=taller - top)


def pad_picture(
    pictures: Float[Tensor, "b c h w"], margins: Margins
) -> tuple[Float[Tensor, "b c H W"], Bool[Tensor, "1 H W"]]:
    """The canvas, its new pixels continuing the picture's edge, and the mask of the new pixels."""
    height, width = pictures.shape[-2:]
    rows = torch.arange(-margins.top, height + margins.bottom, device=pictures.device)
    columns = torch.arange(-margins.left, width + margins.right, device=pictures.device)
    canvas = pictures.index_select(-2, rows.clamp(0, height - 1)).index_select(-1, columns.clamp(0, width - 1))
    is_old = ((rows >= 0) & (rows < height))[:, None] & (columns >= 0) & (columns < width)
    return canvas, ~is_old[None]
