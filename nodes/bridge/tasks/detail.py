"""The detail pass: each marked part of a picture as a region of its own, at the size the model draws best."""

from typing import Any

import torch
from torch import Tensor

from ....zimage_core import regions
from ....zimage_core.bounding_boxes import boxes_of_pictures
from ..loading.picture_notes import detail_note
from ..loading.pictures import mask_batch
from ..loading.vae import check_vae
from .latents import MEGAPIXEL
from .regions import RegionInputs, broadcast_batches, channels_first, height_and_width, prepare_region

MOST_ENLARGED = 4  # times: a smaller part is given more surroundings instead, since more would be blur

NOTHING = (
    "Nothing is marked, so the picture comes back as it was: paint a mask, or connect boxes that a detector found."
)


def detail(
    images: Tensor,
    masks: Tensor | None,
    boxes: Any,
    vae: Any,
    *,
    grow: int,
    feather: int,
    context: float,
    megapixels: float,
) -> tuple[list[RegionInputs], str]:
    """A region for each separate part of masks and boxes, and what is to be said of them.

    Where nothing is marked there is one region, the whole picture, of which nothing is painted.
    """
    check_vae(vae)
    pictures = channels_first(images)
    marked = is_marked(masks, boxes, pictures)
    pictures, alpha = broadcast_batches(pictures, regions.feather(marked, grow, feather))
    area = megapixels * MEGAPIXEL
    found = regions.parts(alpha)
    prepared = [
        prepare_region(pictures, part, vae, context=roomy(part, context, area), megapixels=megapixels, fill="original")
        for part in found or [alpha]
    ]
    if not found:
        return prepared, NOTHING
    of_masks = "" if masks is None else detail_note(images, masks)
    return prepared, "\n".join(filter(None, (note(prepared, area), of_masks)))


def is_marked(masks: Tensor | None, boxes: Any, pictures: Tensor) -> Tensor:
    """What is masked or inside a box (b, h, w)."""
    size = height_and_width(pictures)
    marked = torch.zeros(1, *size, dtype=torch.bool, device=pictures.device)
    if masks is not None:
        marked = regions.fit_masks(regions.is_masked(mask_batch(masks).to(pictures.device)), size)
    lists = boxes_of_pictures(boxes)
    if not lists:
        return marked
    inside = torch.stack([regions.box_mask([box.in_pixels(size) for box in each], size) for each in lists]).to(
        pictures.device
    )
    first, second = broadcast_batches(marked[:, None], inside)
    return first[:, 0] | second


def roomy(part: Tensor, context: float, area: float) -> float:
    """`context`, or more where a small part would be enlarged more than four times."""
    is_hit = (part > 0).any(dim=0)
    sides = [int(is_hit.any(dim=axis).sum()) for axis in (0, 1)]
    return max(context, area**0.5 / MOST_ENLARGED / max(1, *sides))


def note(prepared: list[RegionInputs], area: float) -> str:
    """How many parts there are, and which of them are too large to gain anything."""
    whole = [stitch.region for _, stitch, _ in prepared]
    lines = ["1 part is painted." if len(whole) == 1 else f"{len(whole)} parts, each painted by itself."]
    for number, region in enumerate(whole, 1):
        if area and region.height * region.width > 1.2 * area:
            lines.append(
                f"Part {number} is {region.width}x{region.height} and is painted at {region.size[1]}x"
                f"{region.size[0]}: it gets softer. Raise megapixels, or mark less."
            )
    return "\n".join(lines)
