"""The region around a mask: where it lies in the picture, and at what size it is sampled.

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
WHOLE_FROM = 0.75  # of the picture's area: a region this large might as well see the rest
SLIMMEST = 0.5  # of the longer side: no network draws well on a ribbon


@dataclass(frozen=True, kw_only=True)
class Region:
    """A rectangle of a picture, in pixels, that is sampled at `size`.

    Its sides are multiples of 16 where the picture is large enough. Where it is not, the region ends with the picture
    and is filled up to `canvas` by reflection while it is sampled.
    """

    top: int
    left: int
    height: int
    width: int
    size: tuple[int, int]  # height and width of the sampled picture, multiples of 16

    @property
    def canvas(self) -> tuple[int, int]:
        """Height and width with the reflection."""
        return up_to_multiple(self.height), up_to_multiple(self.width)

    def window(self, pictures: Tensor) -> Tensor:
        """A view of the region in pictures (..., h, w)."""
        return pictures[..., self.top : self.top + self.height, self.left : self.left + self.width]


def region_around(masks: Bool[Tensor, "b h w"], context: float, area: float = 0.0) -> Region:
    """The region that holds all masks and is `context` times as high and wide as they are together.

    It is sampled at `area` pixels, or at its own size if that is 0. No mask at all means the whole picture.
    """
    if context < 1:
        raise ValueError(f"context must be at least 1, the size of the mask itself, not {context}")
    height, width = masks.shape[-2:]
    rows, columns = (bounds(masks.any(dim=0).any(dim=axis)) for axis in (1, 0))
    tall, wide = ((stop - start) * context for start, stop in (rows, columns))
    top, tall = span(*rows, max(tall, SLIMMEST * wide), height)
    left, wide = span(*columns, max(wide, SLIMMEST * tall), width)
    if tall * wide >= WHOLE_FROM * height * width:
        top, left, tall, wide = 0, 0, height, width
    canvas = up_to_multiple(tall), up_to_multiple(wide)
    return Region(top=top, left=left, height=tall, width=wide, size=size_for(*canvas, area) if area else canvas)


def cut(window: Float[Tensor, "b c h w"], region: Region) -> Float[Tensor, "b c H W"]:
    """The pixels of a region's window as they are sampled."""
    return resample(reflect_to(window, region.canvas), region.size)


def latent_mask(alpha: Float[Tensor, "b h w"], region: Region) -> Float[Tensor, "b 1 y x"]:
    """Which latent cells are repainted, from the opacity in the region's window: 1 for all that hold any pixel where
    the new picture shows.

    Hard, because samplers mix a soft cell's old and new latent at every noise level; the network then corrects towards
    neither, and the decoder shows a mixture of latents as blur. Pictures, unlike latents, may be mixed: the soft edge
    is made of pixels when the region is pasted back. The reference's inpaint pipeline binarises too.
    """
    shows = reflect_to(alpha, region.canvas) > 0
    cells = (region.size[0] // CELL, region.size[1] // CELL)
    return F.adaptive_max_pool2d(shows[:, None].float(), cells)  # (b, 1, y, x)


def kept_pixels(alpha: Float[Tensor, "b h w"], region: Region) -> Float[Tensor, "b 1 h w"]:
    """Which pixels of a region's window lie in latent cells that are not repainted, 1 for yes."""
    canvas = F.interpolate(1 - latent_mask(alpha, region), region.canvas, mode="nearest-exact")
    return canvas[..., : region.height, : region.width]


def span(start: int, stop: int, wanted: float, length: int) -> tuple[int, int]:
    """Beginning and extent, a multiple of 16, of a stretch around [start, stop) inside [0, length); all of it if the
    multiple does not fit."""
    extent = up_to_multiple(ceil(wanted))
    if extent > length:
        return 0, length
    return min(max((start + stop - extent) // 2, 0), length - extent), extent


def up_to_multiple(side: int) -> int:
    """The next multiple of 16."""
    return -(-side // SIDE_MULTIPLE) * SIDE_MULTIPLE


def reflect_to(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """Pictures (..., h, w) filled up to the right and to the bottom by mirroring, as often as it takes."""
    for axis, length in zip((-2, -1), size, strict=True):
        own = pictures.shape[axis]
        if own < length:
            places = torch.arange(length, device=pictures.device) % (2 * own)
            pictures = pictures.index_select(axis, torch.minimum(places, 2 * own - 1 - places))
    return pictures
