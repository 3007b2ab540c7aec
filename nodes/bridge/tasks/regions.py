"""Image to image, inpaint and outpaint: the core's regions with ComfyUI's pictures, masks and latents."""

import logging
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from ....zimage_core import regions
from ....zimage_core.regions import Margins, Stitch
from ..loading.vae import check_vae
from .images import encode
from .latents import MEGAPIXEL, to_intermediate

LOGGER = logging.getLogger("zimage")

Prepared = tuple[dict[str, Any], Stitch, Tensor]  # LATENT, ZIMAGE_STITCH, IMAGE


def image_to_image(pictures: Tensor, vae: Any, megapixels: float, batch_size: int) -> tuple[dict[str, Any], int, int]:
    """The LATENT of pictures brought to an area (0 keeps their size), repeated; and its width and height in pixels."""
    check_vae(vae)
    inner = channels_first(pictures)
    if megapixels:
        inner = regions.cover(inner, regions.size_for(*size_of(inner), megapixels * MEGAPIXEL))
    latent = encode(vae, channels_last(inner))
    height, width = (side * regions.CELL for side in latent["samples"].shape[-2:])
    return {**latent, "samples": latent["samples"].repeat(batch_size, 1, 1, 1)}, width, height


def inpaint(
    pictures: Tensor,
    masks: Tensor | None,
    vae: Any,
    *,
    grow: int,
    feather: int,
    context: float,
    megapixels: float,
    fill: str,
) -> Prepared:
    """The region around the masks, ready to be repainted."""
    check_vae(vae)
    inner = channels_first(pictures)
    if masks is None or not masks.numel():
        raise ValueError("There is no mask; paint one in Load Image's mask editor and connect its mask output.")
    wanted = regions.is_masked(masks.reshape(-1, *masks.shape[-2:]).to(inner.device, torch.float32))
    alpha = regions.feather(regions.fit_masks(wanted, size_of(inner)), grow, feather)
    if not alpha.any():
        LOGGER.warning("Z-Image Inpaint: the mask is empty, so nothing will be repainted")
    return prepare(*same_count(inner, alpha), vae, context=context, megapixels=megapixels, fill=fill)


def outpaint(
    pictures: Tensor,
    vae: Any,
    *,
    target: Margins | tuple[int, int],
    anchor: str,
    feather: int,
    context: float,
    megapixels: float,
) -> Prepared:
    """Pictures on a canvas enlarged by margins, or to a ratio of width to height, the new part ready to be painted."""
    check_vae(vae)
    inner = channels_first(pictures)
    margins = target if isinstance(target, Margins) else regions.margins_to_ratio(size_of(inner), target, anchor)
    canvas, is_new = regions.pad_picture(inner, margins)
    if not is_new.any():
        LOGGER.warning("Z-Image Outpaint: the picture has that size already, so nothing will be painted")
    alpha = regions.feather(is_new, 0, feather).expand(len(canvas), -1, -1)
    return prepare(canvas, alpha, vae, context=context, megapixels=megapixels, fill="original")


def prepare(inner: Tensor, alpha: Tensor, vae: Any, *, context: float, megapixels: float, fill: str) -> Prepared:
    """Cut out, fill, encode, and remember the way back."""
    region = regions.region_around(alpha > 0, context, megapixels * MEGAPIXEL)
    opacity = region.window(alpha)
    window = regions.fill_hole(region.window(inner)[:, :3].float(), opacity, fill)
    crop = channels_last(regions.cut(window, region))
    latent = encode(vae, crop)
    latent["noise_mask"] = to_intermediate(regions.latent_mask(opacity, region))
    return latent, Stitch(originals=inner, alpha=opacity, region=region), crop


def stitch(results: Tensor, way_back: Any, colour_match: float) -> Tensor:
    """The originals with the results in their regions."""
    if not isinstance(way_back, Stitch):
        raise ValueError("There is no stitch; connect the stitch output of Z-Image Inpaint or Z-Image Outpaint.")
    inner = channels_first(results)[:, :3]
    regions.check_shape(size_of(inner), way_back)
    if len(inner) % len(way_back.originals):
        raise ValueError(
            f"{len(inner)} results cannot be shared out to {len(way_back.originals)} pictures: "
            "decode the whole latent batch, or inpaint one picture at a time."
        )
    return channels_last(regions.paste(inner, way_back, colour_match))


def same_count(inner: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """As many masks as pictures: one of either is enough for all of the other."""
    pictures, count = len(inner), max(len(inner), len(masks))
    if {pictures, len(masks)} - {1, count}:
        raise ValueError(
            f"{pictures} pictures and {len(masks)} masks do not belong together: "
            "give one mask for all, one for each, or one picture for all masks."
        )
    return inner.expand(count, -1, -1, -1), masks.expand(count, -1, -1)


def size_of(inner: Tensor) -> tuple[int, int]:
    """Height and width in pixels."""
    return inner.shape[-2], inner.shape[-1]


def channels_first(pictures: Tensor | None) -> Tensor:
    """A view of pictures (b, h, w, c) as the core has them; a single channel is grey."""
    if pictures is None or not pictures.numel():
        raise ValueError("There is no picture: the image connected here is empty.")
    inner = rearrange(pictures, "b h w c -> b c h w")
    return inner if inner.shape[1] > 2 else inner[:, :1].expand(-1, 3, -1, -1)


def channels_last(inner: Tensor) -> Tensor:
    """Pictures as ComfyUI has them."""
    return rearrange(inner, "b c h w -> b h w c").contiguous()
