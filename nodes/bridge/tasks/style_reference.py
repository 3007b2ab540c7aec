"""Reference pictures for a MODEL that was never trained to look at any: encode them, and share attention with them."""

from typing import Any

from torch import Tensor

from ....zimage_core.conditioning.part_of_run import Percents, is_any
from ....zimage_core.conditioning.shared_attention import shared_bytes
from ..loading.vae import check_vae
from ..network.attach import attach, running_network
from ..patches.large_picture import native_side
from ..patches.style_reference import with_style_reference
from .editing import encode_references, shrink_to_limit, split_batches
from .latents import MEGAPIXEL

MOST_PICTURES = 4
OFF = "Off: no picture is looked at, and nothing is needed."


def with_pictures(model: Any, vae: Any, images: Tensor, *, strength: float, percents: Percents) -> tuple[Any, str]:
    """A MODEL that takes the style of images (r, h, w, c), and a sentence of what that needs.

    Pictures above the model's native area are shrunk to it. At strength 0, or in no step, nothing is encoded.
    """
    check_vae(vae)
    has_steps = is_any(percents, "The style")
    if not (strength and has_steps):
        return with_style_reference(model, (), strength, percents), OFF
    attached = attach(model)
    pictures = split_batches([images])
    if not pictures or len(pictures) > MOST_PICTURES:
        raise ValueError(
            f"There are {len(pictures)} reference pictures; connect 1 to {MOST_PICTURES}, since each makes every step "
            "slower."
        )
    limit = native_side(attached) ** 2 / MEGAPIXEL
    latents, _ = encode_references(
        vae, None, [shrink_to_limit(picture, index, limit) for index, picture in enumerate(pictures)]
    )
    steered = with_style_reference(attached, latents, strength, percents)
    return steered, describe(attached, latents)


def describe(model: Any, latents: list[Tensor]) -> str:
    """What the references need while the model draws."""
    config = running_network(model).config
    cells = sum(latent.shape[-2] * latent.shape[-1] for latent in latents)
    itemsize = model.model.get_dtype_inference().itemsize
    size = shared_bytes(config.n_layers, cells // config.patch_size**2, config.dim, itemsize)
    which = "1 picture" if len(latents) == 1 else f"{len(latents)} pictures"
    return f"{which} to take the style of; {size / 1e9:.2g} GB more while drawing"
