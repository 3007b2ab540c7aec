"""What a node adapts silently, or can do nothing with, in the pictures and masks it is given: lines for its report."""

from typing import Any

from torch import Tensor

from ....zimage_core.regions.masks import THRESHOLD
from .pictures import colour_images, mask_batch
from .vae import CELL

NOTHING_REPAINTED = "nothing is repainted. Paint white where the picture is to change."


def inpaint_note(images: Tensor, masks: Any, noise_mask: Tensor) -> str:
    """What is to be said of the masks of Z-Image Inpaint, whose latents have `noise_mask`."""
    batch = mask_batch(masks)
    brightest = float(batch.max())
    lines = stretched(images, batch)
    if brightest < THRESHOLD:
        found = "black" if brightest == 0 else f"at most {brightest:.2f} bright, and grey counts from one half up"
        lines.append(f"The mask is {found}: {NOTHING_REPAINTED}")
    elif not noise_mask.any():
        lines.append("Nothing is left of the mask when it is shrunk: nothing is repainted. Set grow to 0 or more.")
    return "\n".join((*lines, *white(batch)))


def detail_note(images: Tensor, masks: Any) -> str:
    """What is to be said of the masks of Z-Image Detail."""
    batch = mask_batch(masks)
    return "\n".join((*stretched(images, batch), *white(batch)))


def stretched(images: Tensor, batch: Tensor) -> list[str]:
    """That masks (b, h, w) do not have the size of the pictures."""
    picture, mask = sides(images), f"{batch.shape[2]}x{batch.shape[1]}"
    return [] if mask == picture else [f"The mask is {mask} and the picture {picture}: the mask was stretched to it."]


def white(batch: Tensor) -> list[str]:
    """That masks (b, h, w) mark every pixel."""
    everywhere = "The mask is white everywhere: the whole picture is repainted. Invert it if it was to be kept."
    return [everywhere] if float(batch.min()) >= THRESHOLD else []


def control_note(image: Tensor | None, inpaint_image: Tensor | None, mask: Any) -> str:
    """What is to be said of the pictures of Z-Image Apply ControlNet."""
    lines: list[str] = []
    if image is not None and is_one_colour(image):
        lines.append("The control picture is one colour and steers nothing: connect edges, depth or a pose.")
    if mask is not None and inpaint_image is not None:
        batch = mask_batch(mask)
        if not batch.any():
            lines.append(f"The mask is black: {NOTHING_REPAINTED}")
        width, height = batch.shape[2], batch.shape[1]
        if width * inpaint_image.shape[1] != height * inpaint_image.shape[2]:
            lines.append(
                f"The mask is {width}x{height} and inpaint_image {sides(inpaint_image)}: each is cropped to the "
                "latent's ratio by itself, so they do not cover the same place. Give both the same ratio."
            )
    return "\n".join(lines)


def size_note(images: Tensor, latent: dict[str, Any], how: str) -> str:
    """That a picture does not have the size its latent has; `how` says what was done to it."""
    height, width = (CELL * side for side in latent["samples"].shape[-2:])
    encoded = f"{width}x{height}"
    return "" if encoded == sides(images) else f"The picture of {sides(images)} was {how} to {encoded}."


def is_one_colour(images: Tensor) -> bool:
    """Whether no picture of a batch (b, h, w, c) has two pixels that differ."""
    colours = colour_images(images)[..., :3]
    return bool((colours == colours[:, :1, :1]).all())


def sides(images: Tensor) -> str:
    """Width and height of IMAGE (b, h, w, c)."""
    return f"{images.shape[2]}x{images.shape[1]}"
