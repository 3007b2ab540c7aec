"""Enlarging a picture's canvas, for outpainting.

Letters: b pictures, c channels, h w pixels, H W pixels of the canvas.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from .._shapes import Bool, Float

ANCHORS = {"middle": 0.5, "left or top": 0.0, "right or bottom": 1.0}  # share of the new pixels on the left or top


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
    """Margins that bring a picture of (height, width) to a ratio of width to height without cropping.

    `anchor`, a key of `ANCHORS`, is the position of the picture on the new canvas.
    """
    (height, width), (ratio_width, ratio_height) = size, ratio
    n_columns = max(0, round(height * ratio_width / ratio_height) - width)
    n_rows = max(0, round(width * ratio_height / ratio_width) - height)
    left, top = round(n_columns * ANCHORS[anchor]), round(n_rows * ANCHORS[anchor])
    return Margins(left=left, top=top, right=n_columns - left, bottom=n_rows - top)


def pad_picture(
    pictures: Float[Tensor, "b c h w"], margins: Margins
) -> tuple[Float[Tensor, "b c H W"], Bool[Tensor, "1 H W"]]:
    """The canvas, with new pixels that replicate the picture's edge, and the mask of the new pixels."""
    height, width = pictures.shape[-2:]
    rows = torch.arange(-margins.top, height + margins.bottom, device=pictures.device)
    columns = torch.arange(-margins.left, width + margins.right, device=pictures.device)
    canvas = pictures.index_select(-2, rows.clamp(0, height - 1)).index_select(-1, columns.clamp(0, width - 1))
    is_old = ((rows >= 0) & (rows < height))[:, None] & (columns >= 0) & (columns < width)
    return canvas, ~is_old[None]
