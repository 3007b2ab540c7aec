"""Prompts around reference pictures, as Omni and Edit models read them, in the form stock nodes use too.

The conditioning carries what ComfyUI's own TextEncodeZImageOmni writes (raw latents, vision outputs, chunks of text),
so either node's works with either MODEL; one key more says which published reading of the references is meant.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import comfy.utils
from comfy import model_management
from einops import rearrange
from node_helpers import conditioning_set_values
from torch import Tensor

from ....zimage_core.model import COMFYUI, DIFFUSERS, REFERENCE, OmniRules
from ....zimage_core.text import chunk_templates
from ....zimage_core.vae import from_images, shrink_to_area, to_images
from ..loading import vision
from ..loading.vae import CELL, SIDE_MULTIPLE, check_vae
from ..network.attach import DIFFUSION_MODEL
from ..network.conditions import RULES_KEY
from ..network.dit import check_can_look
from . import prompts
from .latents import MEGAPIXEL, crop_to_patches, empty, size_of

RULES = {"reference": REFERENCE, "diffusers": DIFFUSERS, "ComfyUI": COMFYUI}
LARGEST = 16  # megapixels of one reference; more is a slip, and more tokens than any card attends to


@dataclass(frozen=True, kw_only=True)
class Edit:
    """What a sampler needs of an edit."""

    positive: Any
    negative: Any
    latent: dict[str, Any]
    report: str


def encode(
    clip: Any,
    vae: Any,
    clip_vision: Any,
    words: tuple[str, str],
    images: Sequence[Tensor],
    *,
    megapixels: float,
    sized_by: int,
    rules: OmniRules,
) -> Edit:
    """Positive and negative prompt around the same pictures, and an empty latent of the size of one of them."""
    check_vae(vae)
    pictures = [fitted(picture, index, megapixels) for index, picture in enumerate(split(images))]
    latents, seen = look(vae, clip_vision, pictures)
    *before, template, closing = chunk_templates(len(pictures))
    values = {
        "reference_latents": latents,
        "clip_vision_outputs": seen,
        "reference_latents_text_embeds": [prompts.features(clip, text) for text in (*before, closing)],
        RULES_KEY: rules,
    }
    (positive, tokens), (negative, _) = (prompts.encode(clip, text, is_cut=False, template=template) for text in words)
    height, width = latents[sized_by].shape[-2:]
    return Edit(
        positive=conditioning_set_values(positive, values),
        negative=conditioning_set_values(negative, values),
        latent=empty(CELL * width, CELL * height, 1),
        report=f"{describe(latents, is_seen=bool(seen))}; prompt: {tokens}",
    )


def encode_words(
    clip: Any, words: tuple[str, str], images: Sequence[Tensor], *, megapixels: float, sized_by: int
) -> Edit:
    """The words alone, which every model understands; pictures only give the size."""
    width, height = size_of((1, 1), megapixels or 1.0)
    if pictures := [fitted(picture, index, megapixels) for index, picture in enumerate(split(images))]:
        height, width = crop_to_patches(pictures[sized_by]).shape[1:3]
    (positive, tokens), (negative, _) = (prompts.encode(clip, text, is_cut=False) for text in words)
    report = f"no picture is looked at; prompt: {tokens}"
    return Edit(positive=positive, negative=negative, latent=empty(width, height, 1), report=report)


def look(vae: Any, clip_vision: Any, pictures: Sequence[Tensor]) -> tuple[list[Tensor], list[Any]]:
    """Every picture's raw latent, and what the vision model says of it where there is one."""
    bar = comfy.utils.ProgressBar(len(pictures))
    latents: list[Tensor] = []
    seen: list[Any] = []
    for picture in pictures:
        model_management.throw_exception_if_processing_interrupted()
        latents.append(vae.encode(crop_to_patches(picture)))
        if clip_vision is not None:
            seen.append(vision.look(clip_vision, picture))
        bar.update(1)
    return latents, seen


def check_can_edit(model: Any, images: Sequence[Tensor]) -> None:
    """Refuse an edit of nothing, and a model that cannot look, as far as it is known here."""
    if not images:
        raise ValueError(
            "No picture is connected to look at. Connect one to 'images', or set 'pictures' to 'ignore' to draw from "
            "the words alone."
        )
    if model is not None:
        check_can_look(model.get_model_object(DIFFUSION_MODEL))


def split(images: Sequence[Tensor]) -> list[Tensor]:
    """Every picture of every batch by itself (1, h, w, 3); transparency is left out."""
    return [picture[None, ..., :3] for batch in images for picture in batch]


def fitted(picture: Tensor, index: int, megapixels: float) -> Tensor:
    """A picture of at most so many megapixels, shrunk as the reference pipeline does; 0 keeps its size."""
    height, width = picture.shape[1:3]
    if megapixels and height * width > megapixels * MEGAPIXEL:
        [image] = to_images(rearrange(picture, "b h w c -> b c h w") * 2 - 1)
        shrunk = from_images([shrink_to_area(image, round(megapixels * MEGAPIXEL))])
        picture = (rearrange(shrunk, "b c h w -> b h w c") / 2 + 0.5).to(picture)
    if min(picture.shape[1:3]) < SIDE_MULTIPLE:
        raise ValueError(
            f"Picture {index + 1} has {width}x{height} pixels, too few to look at: both sides must have at least "
            f"{SIDE_MULTIPLE} when it is shrunk. Upscale or crop it first, or leave it out."
        )
    if height * width > LARGEST * MEGAPIXEL and not megapixels:
        raise ValueError(
            f"Picture {index + 1} has {width}x{height} pixels, more than the {LARGEST} megapixels that can be looked "
            "at. Set 'megapixels' to 1, so that pictures are shrunk first."
        )
    return picture


def describe(latents: Sequence[Tensor], is_seen: bool) -> str:
    """What the model gets to see, in a line."""
    sizes = ", ".join(f"{CELL * latent.shape[-1]}x{CELL * latent.shape[-2]}" for latent in latents)
    how = "latents and vision features" if is_seen else "latents only, for want of a vision model"
    return f"{len(latents)} picture{'s' if len(latents) > 1 else ''} ({sizes}) as {how}"
