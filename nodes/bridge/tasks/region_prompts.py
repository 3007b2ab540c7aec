"""Adds a region with a prompt of its own to CONDITIONING, and says what became of its place."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from torch import Tensor

from ....zimage_core.adapters import Lora, tensors_of
from ....zimage_core.adapters.token_lora import on_tokens
from ....zimage_core.bounding_boxes import boxes_of_pictures
from ....zimage_core.checkpoints import read_lora
from ....zimage_core.conditioning.part_of_run import is_any
from ....zimage_core.conditioning.region_area import Area, Box, Boxes, MaskArea
from ....zimage_core.model import S3DiT
from ..loading import files
from ..loading.pictures import mask_batch
from ..network.attach import running_network
from ..network.regional_conditions import REGIONS_KEY, Region

NOTHING_SAID = (
    "The region's prompt is all zeros, as Conditioning Zero Out makes it, so this region is left out. Connect an "
    "encoded prompt."
)
UNHEARD = (
    "Regions were left out: this MODEL runs ComfyUI's own code, which knows none. Put Z-Image Attach behind its loader."
)


def add_region(
    conditioning: Any,
    region_prompt: Any,
    *,
    box: tuple[float, float, float, float],
    boxes: Any,
    box_number: int,
    mask: Any,
    strength: float,
    outside: float,
    global_weight: float,
    percents: tuple[float, float],
    lora: tuple[str, float] = (files.NO_LORA, 0.0),
) -> tuple[Any, str]:
    """The CONDITIONING with one more region, and a note; without it, unchanged, where the region can do nothing.

    A `mask` goes before `boxes`, those before `box` (x, y, width, height in parts of the picture). `lora` is a file's
    name and its strength.
    """
    has_steps = is_any(percents, "This region")
    caption = _caption(conditioning, region_prompt)
    area, note = _area(box, boxes, box_number, mask)
    if not caption.any():
        return conditioning, NOTHING_SAID
    if area is None or strength == 0 or not has_steps:
        return conditioning, note
    own_lora, used = _lora(*lora)
    note = "\n".join(line for line in (note, used) if line)
    region = Region(
        caption=caption,
        area=area,
        strength=strength,
        outside=outside,
        global_weight=global_weight,
        percents=percents,
        lora=own_lora,
    )
    return [with_region(whole, values, region) for whole, values in conditioning], note


def with_region(whole: Tensor, values: dict[str, Any], region: Region) -> list[Any]:
    """One entry of a CONDITIONING with a region behind those it has."""
    return [whole, {**values, REGIONS_KEY: (*values.get(REGIONS_KEY, ()), region)}]


def unheard_note(model: Any, positive: Any) -> str:
    """That a MODEL runs code without regions, where a prompt has some."""
    has_regions = any(REGIONS_KEY in values for _, values in positive)
    return UNHEARD if has_regions and not isinstance(running_network(model), S3DiT) else ""


def _caption(conditioning: Any, region_prompt: Any) -> Tensor:
    """The embeddings (b, n, f) of a region's prompt, which has to be one and of the width of the whole prompt."""
    if len(region_prompt) != 1:
        raise ValueError(
            f"The region's prompt consists of {len(region_prompt)} conditionings, but a region has one. Encode it with "
            "one node, without Conditioning (Combine)."
        )
    [[caption, values]] = region_prompt
    if values.get("reference_latents") and not all(each.get("reference_latents") for _, each in conditioning):
        raise ValueError(
            "The region's prompt has reference pictures, but the whole prompt has none. Give them to the whole prompt: "
            "its regions see those."
        )
    for whole, _ in conditioning:
        if whole.shape[-1] != caption.shape[-1]:
            raise ValueError(
                f"The whole prompt's features are {whole.shape[-1]} wide and the region's {caption.shape[-1]}. Encode "
                "both with the same text encoder."
            )
    return caption


def _lora(name: str, strength: float) -> tuple[tuple[Lora, float] | None, str]:
    """The part of a LoRA file that can act on a region alone, with its strength, and what is to be said of it."""
    if name == files.NO_LORA or strength == 0:
        return None, ""
    whole = read_lora(files.lora_path(name))
    used = on_tokens(whole)
    if not used.deltas:
        raise ValueError(
            f"{name} changes nothing that acts on a part of the picture alone: its {len(whole.deltas)} weights are not "
            "those of attention or feed-forward layers. Put it on the whole MODEL with Z-Image Load LoRA."
        )
    megabytes = sum(each.nbytes for delta in used.deltas.values() for each in tensors_of(delta)) / 2**20
    note = f"{name}: {len(used.deltas)} weights for this region alone, {megabytes:.1f} MB beside the model."
    left_out = len(whole.deltas) - len(used.deltas)
    return (used, strength), f"{note} {left_out} that act on the whole picture are left out." if left_out else note


def _area(box: tuple[float, float, float, float], boxes: Any, box_number: int, mask: Any) -> tuple[Area | None, str]:
    """Where the region is, None for nowhere, and what is to be said of that."""
    if mask is not None:
        batch = mask_batch(mask).cpu().clamp(0, 1)
        if not batch[0].any():
            return None, "The mask is black, so this region is left out. Paint white where its prompt is to be heard."
        lines = [f"Of {len(batch)} masks the first is used."] if len(batch) > 1 else []
        if box_number:
            lines.append(f"The mask is used, so box number {box_number} is not.")
        return MaskArea(batch[0]), "\n".join(lines)
    if boxes is not None:
        found = list(boxes_in(boxes))
        if not found:
            return None, "No box has arrived here, so this region is left out. Draw one in the node before."
        if box_number > len(found):
            raise ValueError(f"There is no box {box_number}: {len(found)} arrived here. Choose another box number.")
        return Boxes(tuple(found if box_number == 0 else found[box_number - 1 : box_number])), ""
    x, y, width, height = box
    drawn = Box(x=x, y=y, width=width, height=height)
    is_inside = min(drawn.x, drawn.y) >= 0 and max(drawn.x + drawn.width, drawn.y + drawn.height) <= 1 + 1e-6
    lines = [] if is_inside else ["This region reaches out of the picture; what lies inside is used."]
    if box_number:
        lines.append(f"No boxes are connected, so box number {box_number} does nothing and the four numbers are used.")
    return drawn, "\n".join(lines)


def boxes_in(given: Any) -> Iterator[Box]:
    """ComfyUI's bounding boxes or elements as areas, those of all pictures together."""
    for box in chain.from_iterable(boxes_of_pictures(given)):
        yield Box(x=box.left, y=box.top, width=box.width, height=box.height, unit=box.unit)
