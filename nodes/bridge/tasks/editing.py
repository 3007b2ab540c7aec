"""Conditioning with reference pictures for Omni and Edit models.

It has the keys that ComfyUI's own TextEncodeZImageOmni writes (raw latents, vision outputs, embeddings of the text
chunks), so that conditioning of either node works with MODELs of either. One more key names the published
implementation (`OmniRules`) whose sequence layout is used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import comfy.utils
from comfy import model_management
from einops import rearrange
from node_helpers import conditioning_set_values
from torch import Tensor

from ....zimage_core.model import COMFYUI, DEFAULT_RULES, DIFFUSERS, OmniRules
from ....zimage_core.text import chunk_templates
from ....zimage_core.vae import from_images, shrink_to_area, to_images
from ..loading import vision
from ..loading.pictures import rgb
from ..loading.vae import CELL, SIDE_MULTIPLE, check_vae, interruptible
from ..network.attach import DIFFUSION_MODEL
from ..network.conditions import LATENTS_KEY, RULES_KEY
from ..network.dit import check_supports_references
from . import prompts
from .latents import MEGAPIXEL, crop_to_patches, empty_latent, size_from_ratio

RULES = {"reference": DEFAULT_RULES, "diffusers": DIFFUSERS, "ComfyUI": COMFYUI}
MAX_MEGAPIXELS = 16  # of one reference; more is a mistake, and more tokens than any GPU has memory to attend to

# how the model gets reference pictures
SEEN = "latents and vision features"
CHOSEN = "latents only, as chosen"
UNSEEN = "latents only, for want of a vision model"


@dataclass(frozen=True, kw_only=True)
class EditInputs:
    """Outputs of Z-Image Edit Encode: CONDITIONING twice, LATENT and a report."""

    positive: Any
    negative: Any
    latent: dict[str, Any]
    report: str


def encode(
    clip: Any,
    vae: Any,
    clip_vision: Any,
    prompt_pair: tuple[str, str],
    images: Sequence[Tensor],
    *,
    megapixels: float,
    sized_by: int,
    rules: OmniRules,
    latents_alone: bool = False,
) -> EditInputs:
    """Positive and negative prompt with the same pictures, and an empty latent of the size of picture `sized_by`.

    `images` are batches (b, h, w, c) in [0, 1]; larger ones are shrunk to `megapixels`, 0 keeps every size. With
    `latents_alone` no vision model looks at them, and models without a vision branch take them.
    """
    check_vae(vae)
    pictures = [shrink_to_limit(picture, index, megapixels) for index, picture in enumerate(split_batches(images))]
    latents, vision_outputs = encode_references(vae, None if latents_alone else clip_vision, pictures)
    *chunks, template, last_chunk = chunk_templates(len(pictures))
    values = {
        "reference_latents": latents,
        "clip_vision_outputs": vision_outputs,
        "reference_latents_text_embeds": [prompts.embed(clip, text) for text in (*chunks, last_chunk)],
        RULES_KEY: rules,
        **({LATENTS_KEY: True} if latents_alone else {}),
    }
    (positive, tokens), (negative, _) = (
        prompts.encode(clip, text, is_cut=False, template=template) for text in prompt_pair
    )
    height, width = latents[sized_by].shape[-2:]
    how = SEEN if vision_outputs else CHOSEN if latents_alone else UNSEEN
    return EditInputs(
        positive=conditioning_set_values(positive, values),
        negative=conditioning_set_values(negative, values),
        latent=empty_latent(CELL * width, CELL * height, 1),
        report=f"{describe(latents, how)}; prompt: {tokens.describe()}",
    )


def encode_text_only(
    clip: Any, prompt_pair: tuple[str, str], images: Sequence[Tensor], *, megapixels: float, sized_by: int
) -> EditInputs:
    """Plain text conditioning, for any model; pictures only give the size of the latent."""
    width, height = size_from_ratio((1, 1), megapixels or 1.0)
    if pictures := [shrink_to_limit(picture, index, megapixels) for index, picture in enumerate(split_batches(images))]:
        height, width = crop_to_patches(pictures[sized_by]).shape[1:3]
    (positive, tokens), (negative, _) = (prompts.encode(clip, text, is_cut=False) for text in prompt_pair)
    report = f"no picture is looked at; prompt: {tokens.describe()}"
    return EditInputs(positive=positive, negative=negative, latent=empty_latent(width, height, 1), report=report)


def encode_references(vae: Any, clip_vision: Any, pictures: Sequence[Tensor]) -> tuple[list[Tensor], list[Any]]:
    """The raw latent of each picture (1, h, w, 3), and the output of the vision encoder if there is one."""
    bar = comfy.utils.ProgressBar(len(pictures))
    latents: list[Tensor] = []
    vision_outputs: list[Any] = []
    for picture in pictures:
        model_management.throw_exception_if_processing_interrupted()
        with interruptible(vae):
            latents.append(vae.encode(crop_to_patches(picture)))
        if clip_vision is not None:
            vision_outputs.append(vision.encode_picture(clip_vision, picture))
        bar.update(1)
    return latents, vision_outputs


def check_can_edit(model: Any, images: Sequence[Tensor], *, latents_alone: bool) -> None:
    """Raise ValueError without a picture, or if the connected model takes no references, unless it is to try."""
    if not images:
        raise ValueError(
            "No picture is connected to look at. Connect one to 'images', or set 'pictures' to 'ignore' to draw from "
            "the words alone."
        )
    if model is not None and not latents_alone:
        check_supports_references(model.get_model_object(DIFFUSION_MODEL))


def split_batches(images: Sequence[Tensor]) -> list[Tensor]:
    """Each picture of each batch as (1, h, w, 3), without alpha."""
    return [picture[None] for batch in images for picture in rgb(batch)]


def shrink_to_limit(picture: Tensor, index: int, megapixels: float) -> Tensor:
    """A picture (1, h, w, 3) of at most `megapixels`, shrunk as in the reference pipeline; 0 keeps its size.

    Raises ValueError for pictures that are too small or too large; `index` counts them from 0 for the message.
    """
    height, width = picture.shape[1:3]
    if megapixels and height * width > megapixels * MEGAPIXEL:
        [image] = to_images(rearrange(picture, "b h w c -> b c h w") * 2 - 1)
        shrunk = from_images([shrink_to_area(image, round(megapixels * MEGAPIXEL))])
        picture = (rearrange(shrunk, "b c h w -> b h w c") / 2 + 0.5).to(picture)
    if min(picture.shape[1:3]) < SIDE_MULTIPLE <= min(height, width):
        raise ValueError(
            f"Picture {index + 1} has {width}x{height} pixels, so long and narrow that {picture.shape[2]}x"
            f"{picture.shape[1]} are left when it is shrunk, and both sides need at least {SIDE_MULTIPLE}. Crop it to "
            "the part that counts."
        )
    if min(picture.shape[1:3]) < SIDE_MULTIPLE:
        raise ValueError(
            f"Picture {index + 1} has {width}x{height} pixels, too few to look at: both sides must have at least "
            f"{SIDE_MULTIPLE} when it is shrunk. Upscale or crop it first, or leave it out."
        )
    if height * width > MAX_MEGAPIXELS * MEGAPIXEL and not megapixels:
        raise ValueError(
            f"Picture {index + 1} has {width}x{height} pixels, more than the {MAX_MEGAPIXELS} megapixels that can be "
            "looked at. Set 'megapixels' to 1, so that pictures are shrunk first."
        )
    return picture


def describe(latents: Sequence[Tensor], how: str) -> str:
    """One line about the references the model gets."""
    sizes = ", ".join(f"{CELL * latent.shape[-1]}x{CELL * latent.shape[-2]}" for latent in latents)
    which = "1 picture" if len(latents) == 1 else f"{len(latents)} pictures"
    return f"{which} ({sizes}) as {how}"
