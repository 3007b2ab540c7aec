"""Image to image, inpaint and outpaint: the core's regions with ComfyUI's IMAGE, MASK and LATENT.

`images` are ComfyUI's (b, h, w, c), `pictures` the core's (b, c, h, w), both in [0, 1].
"""

import logging
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from einops import rearrange
from torch import Tensor

from ....zimage_core import regions
from ....zimage_core.regions import Margins, Stitch
from ..loading.pictures import colour_images, mask_batch
from ..loading.vae import check_vae
from .images import encode
from .latents import MEGAPIXEL, to_intermediate

LOGGER = logging.getLogger("zimage")

FOREIGN = (
    "The picture connected here shows something else than what was cut out, also where nothing was to be painted. "
    "Connect the decoded result of the same Z-Image Inpaint, Outpaint or Detail."
)

RegionInputs = tuple[dict[str, Any], Stitch, Tensor]  # LATENT, ZIMAGE_STITCH, IMAGE


def image_to_image(images: Tensor, vae: Any, megapixels: float, batch_size: int) -> tuple[dict[str, Any], int, int]:
    """The LATENT of images scaled to an area (0 keeps the size), repeated; and its width and height in pixels."""
    check_vae(vae)
    pictures = channels_first(images)
    if megapixels:
        pictures = regions.cover(pictures, regions.size_for(*height_and_width(pictures), megapixels * MEGAPIXEL))
    latent = encode(vae, channels_last(pictures))
    height, width = (side * regions.CELL for side in latent["samples"].shape[-2:])
    return {**latent, "samples": latent["samples"].repeat(batch_size, 1, 1, 1)}, width, height


def inpaint(
    images: Tensor,
    masks: Tensor | None,
    vae: Any,
    *,
    grow: int,
    feather: int,
    context: float,
    megapixels: float,
    fill: str,
) -> RegionInputs:
    """The region around the masks (b, h, w) with its noise mask; `grow` and `feather` are pixels of the images."""
    check_vae(vae)
    pictures = channels_first(images)
    is_masked = regions.is_masked(mask_batch(masks).to(pictures.device))
    alpha = regions.feather(regions.fit_masks(is_masked, height_and_width(pictures)), grow, feather)
    if not alpha.any():
        LOGGER.warning("Z-Image Inpaint: the mask is empty, so nothing will be repainted")
    return prepare_region(*broadcast_batches(pictures, alpha), vae, context=context, megapixels=megapixels, fill=fill)


def outpaint(
    images: Tensor,
    vae: Any,
    *,
    target: Margins | tuple[int, int],
    anchor: str,
    feather: int,
    context: float,
    megapixels: float,
) -> RegionInputs:
    """Images on a canvas enlarged by margins, or to a ratio of width to height, with a noise mask for the new part."""
    check_vae(vae)
    pictures = channels_first(images)
    margins = (
        target if isinstance(target, Margins) else regions.margins_to_ratio(height_and_width(pictures), target, anchor)
    )
    canvas, is_new = regions.pad_picture(pictures, margins)
    if not is_new.any():
        LOGGER.warning("Z-Image Outpaint: the picture has that size already, so nothing will be painted")
    alpha = regions.feather(is_new, 0, feather).expand(len(canvas), -1, -1)
    return prepare_region(canvas, alpha, vae, context=context, megapixels=megapixels, fill="original")


def prepare_region(
    pictures: Tensor, alpha: Tensor, vae: Any, *, context: float, megapixels: float, fill: str
) -> RegionInputs:
    """Crop the region where `alpha` (b, h, w) is above 0 out of pictures (b, c, h, w), fill it and encode it.

    Returns the LATENT with its noise mask, what `stitch` needs, and the crop as IMAGE.
    """
    region = regions.region_around(alpha > 0, context, megapixels * MEGAPIXEL)
    opacity = region.window(alpha)
    window = regions.fill_hole(region.window(pictures)[:, :3].float(), opacity, fill)
    crop = channels_last(regions.crop_region(window, region))
    latent = encode(vae, crop)
    latent["noise_mask"] = to_intermediate(regions.latent_mask(opacity, region))
    return latent, Stitch(originals=pictures, alpha=opacity, region=region), crop


def stitch_all(images: Sequence[Tensor], targets: Sequence[Any], colour_match: float) -> tuple[list[Tensor], str]:
    """Lists of painted regions in their pictures: regions of the same originals, in a row, go into one picture.

    A shorter list repeats its last element, as ComfyUI does when it maps a node over lists. With it comes what is to be
    said of regions that show something else than what was cut out.
    """
    count = max(len(images), len(targets))
    pairs = [(images[min(i, len(images) - 1)], targets[min(i, len(targets) - 1)]) for i in range(count)]
    groups = groupby(pairs, key=lambda pair: id(getattr(pair[1], "originals", None)))
    stitched = [stitch_together(list(group), colour_match) for _, group in groups]
    foreign = any(regions.is_foreign(checked_result(image, target), target) for image, target in pairs)
    return stitched, FOREIGN if foreign else ""


def stitch_together(pairs: Sequence[tuple[Tensor, Any]], colour_match: float) -> Tensor:
    """The original images with the painted regions pasted into them, one after the other."""
    results = [checked_result(image, target) for image, target in pairs]
    return channels_last(regions.paste_all(results, [target for _, target in pairs], colour_match))


def checked_result(images: Tensor, target: Any) -> Tensor:
    """Painted regions as pictures (r, 3, h, w) that belong to their stitch, else ValueError."""
    if not isinstance(target, Stitch):
        raise ValueError("There is no stitch; connect the stitch output of Z-Image Inpaint or Z-Image Outpaint.")
    results = channels_first(images)[:, :3]
    regions.check_shape(height_and_width(results), target)
    if len(results) % len(target.originals):
        raise ValueError(
            f"{len(results)} results cannot be shared out to {len(target.originals)} pictures: "
            "decode the whole latent batch, or inpaint one picture at a time."
        )
    return results


def broadcast_batches(pictures: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures (b, c, h, w) and masks (b, h, w) of the same batch size; a single one of either is repeated."""
    n_pictures, n_masks = len(pictures), len(masks)
    count = max(n_pictures, n_masks)
    if {n_pictures, n_masks} - {1, count}:
        raise ValueError(
            f"{n_pictures} pictures and {n_masks} masks do not belong together: "
            "give one mask for all, one for each, or one picture for all masks."
        )
    return pictures.expand(count, -1, -1, -1), masks.expand(count, -1, -1)


def height_and_width(pictures: Tensor) -> tuple[int, int]:
    """In pixels, of pictures (b, c, h, w)."""
    return pictures.shape[-2], pictures.shape[-1]


def channels_first(images: Tensor | None) -> Tensor:
    """IMAGE (b, h, w, c) as the core's pictures (b, c, h, w); fewer than three channels become grey."""
    return rearrange(colour_images(images), "b h w c -> b c h w")


def channels_last(pictures: Tensor) -> Tensor:
    """Pictures (b, c, h, w) as IMAGE (b, h, w, c)."""
    return rearrange(pictures, "b c h w -> b h w c").contiguous()
