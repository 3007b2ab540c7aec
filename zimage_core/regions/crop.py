"""The region around a mask: its rectangle in the picture, and the size at which it is sampled.

Letters: b pictures, c channels, h w pixels of a picture, H W pixels of the sampled region, y x latent cells of it.
"""

from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor
from torch.nn import functional as F

from .._shapes import Bool, Float
from .masks import bounds
from .resample import SIDE_MULTIPLE, resample, size_for

CELL = 8  # pixels per latent cell
WHOLE_PICTURE_SHARE = 0.75  # of the picture's area: a larger region becomes the whole picture
MIN_ASPECT = 0.5  # shorter side to longer side: models draw badly on very narrow pictures


@dataclass(frozen=True, kw_only=True)
class Region:
    """A rectangle of a picture, in pixels, that is sampled at `size`.

    Its sides are multiples of 16. Where the picture is too small for that, the region ends at the picture's edge, and
    reflection padding fills it up to `canvas`.
    """

    top: int
    left: int
    height: int
    width: int
    size: tuple[int, int]  # height and width of the sampled picture, multiples of 16

    @property
    def canvas(self) -> tuple[int, int]:
        """Height and width with the reflection padding."""
        return up_to_multiple(self.height), up_to_multiple(self.width)

    def window(self, pictures: Tensor) -> Tensor:
        """A view of the region in pictures (..., h, w)."""
        return pictures[..., self.top : self.top + self.height, self.left : self.left + self.width]


def region_around(masks: Bool[Tensor, "b h w"], context: float, area: float = 0.0) -> Region:
    """The region that contains all masks and is `context` times as high and wide as their common bounding box.

    It is sampled at `area` pixels, or at its own size if that is 0. Empty masks give the whole picture.
    """
    if context < 1:
        raise ValueError(f"context must be at least 1, the size of the mask itself, not {context}")
    height, width = masks.shape[-2:]
    rows, columns = (bounds(masks.any(dim=0).any(dim=axis)) for axis in (1, 0))
    tall, wide = ((stop - start) * context for start, stop in (rows, columns))
    top, tall = extend_interval(*rows, max(tall, MIN_ASPECT * wide), height)
    left, wide = extend_interval(*columns, max(wide, MIN_ASPECT * tall), width)
    if tall * wide >= WHOLE_PICTURE_SHARE * height * width:
        top, left, tall, wide = 0, 0, height, width
    canvas = up_to_multiple(tall), up_to_multiple(wide)
    return Region(top=top, left=left, height=tall, width=wide, size=size_for(*canvas, area) if area else canvas)


def crop_region(window: Float[Tensor, "b c h w"], region: Region) -> Float[Tensor, "b c H W"]:
    """The pixels of a region's window, padded and resampled to the sampled size."""
    return resample(reflect_to(window, region.canvas), region.size)


def latent_mask(alpha: Float[Tensor, "b h w"], region: Region) -> Float[Tensor, "b 1 y x"]:
    """Latent cells to repaint, from the opacity in the region's window: 1 for cells with any pixel of opacity above 0.

    Binary, because with a soft mask samplers mix a cell's old and new latent at every noise level; the network then
    denoises towards neither, and a mixture of latents decodes as blur. The soft edge is made in pixels when the region
    is pasted back. The reference's inpaint pipeline also binarizes the mask.
    """
    is_visible = reflect_to(alpha, region.canvas) > 0
    cells = (region.size[0] // CELL, region.size[1] // CELL)
    return F.adaptive_max_pool2d(is_visible[:, None].float(), cells)  # (b, 1, y, x)


def unmasked_pixels(alpha: Float[Tensor, "b h w"], region: Region) -> Float[Tensor, "b 1 h w"]:
    """1 for pixels of a region's window in latent cells that are not repainted, else 0."""
    canvas = F.interpolate(1 - latent_mask(alpha, region), region.canvas, mode="nearest-exact")
    return canvas[..., : region.height, : region.width]


def extend_interval(start: int, stop: int, wanted: float, length: int) -> tuple[int, int]:
    """Start and extent of an interval around [start, stop), at least `wanted` long, inside [0, length).

    The extent is a multiple of 16; if that does not fit, it is all of [0, length).
    """
    extent = up_to_multiple(ceil(wanted))
    if extent > length:
        return 0, length
    return min(max((start + stop - extent) // 2, 0), length - extent), extent


def up_to_multiple(side: int) -> int:
    """The next multiple of 16."""
    return -(-side // SIDE_MULTIPLE) * SIDE_MULTIPLE


def reflect_to(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """Pictures (..., h, w) padded on the right and bottom to `size` by reflection, repeated as often as needed."""
    for axis, length in zip((-2, -1), size, strict=True):
        side = pictures.shape[axis]
        if side < length:
            indices = torch.arange(length, device=pictures.device) % (2 * side)
            pictures = pictures.index_select(axis, torch.minimum(indices, 2 * side - 1 - indices))
    return pictures
