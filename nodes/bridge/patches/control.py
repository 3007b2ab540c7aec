"""Fun ControlNets on a MODEL: a model patch that holds the images and their latents.

ComfyUI's sampler loads the patch's networks together with the MODEL, counts their memory and moves the patch to the
MODEL's device; `network/control_hints.py` asks it for the core's `Control` at every call of the model.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from comfy import model_management
from comfy.latent_formats import Flux
from comfy.ldm.common_dit import pad_to_patch_size
from comfy.patcher_extension import WrappersMP
from comfy.utils import common_upscale, repeat_to_batch_size
from torch import Tensor

from ....zimage_core.adapters.control.context import GREY, control_context, masked_image
from ....zimage_core.adapters.control.control import ALWAYS, Control, Implementation, SigmaRange
from ....zimage_core.adapters.control.flow import check_widths
from ....zimage_core.model import S3DiT
from ..loading import fitted
from ..loading.control_net import control_net_of
from ..loading.pictures import mask_batch, rgb
from ..loading.vae import CELL, SIDE_MULTIPLE, check_vae, interruptible
from ..network.attach import check_is_zimage, running_network
from ..network.control_hints import CONTROL_KEY
from ..network.tiles import Tile

LATENTS = Flux()  # the scale and shift between the VAE's latents and the model's
Size = tuple[int, int]  # height, width


class Settings(NamedTuple):
    """The settings that ComfyUI's own patch does not have."""

    implementation: Implementation = "author"
    percents: tuple[float, float] = (0.0, 1.0)  # of the schedule, from its start at pure noise
    node_id: str | None = None  # the page's, to show there how a picture was fitted


class ZImageControlPatch:
    """One ControlNet with its images.

    The class has the name, the arguments and the attributes of ComfyUI's own patch: tiled upscalers find it by name,
    crop `image`, and call `__init__` again with the crop or replace `encoded_image` by a crop of it.
    """

    settings = Settings()  # an instance keeps its own when `__init__` is called again without settings
    sigma_range = ALWAYS  # of the settings' percents, in the schedule of the latest run

    def __init__(
        self,
        model_patch: Any,
        vae: Any,
        image: Tensor | None,
        strength: float,
        inpaint_image: Tensor | None = None,
        mask: Tensor | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.model_patch = model_patch
        self.vae = vae
        self.image = image
        self.strength = strength
        self.inpaint_image = inpaint_image
        self.mask = mask
        self.settings = settings or self.settings
        self.network = control_net_of(model_patch)
        self.embedded: tuple[Tensor, Tensor] | None = None  # an encoded image and its tokens
        self.encoded_image: Tensor | None = None  # all input channels, as `control_context` concatenates them
        self.encoded_image_size = _size(inpaint_image if image is None else image)  # in pixels
        if strength and not any(side % SIDE_MULTIPLE for side in self.encoded_image_size):  # else it fits no latent
            self.encoded_image = self.encode(self.encoded_image_size)

    def control(self, x: Tensor, dtype: torch.dtype, chunks: int, tile: Tile | None = None) -> Control:
        """The core's `Control` for latents x (chunks · batch, c, H, W): the batch repeated for each prompt.

        Where x is a `tile` of a larger latent, the image is encoded for all of it and cut.
        """
        whole = x.shape if tile is None else tile.size
        if not self.is_encoded(whole):  # tiles of other packs and regions differ in size
            loaded = model_management.loaded_models(only_currently_used=True)
            self.encode_for(whole)
            model_management.load_models_gpu(loaded)
        assert self.encoded_image is not None
        if tile is None:
            tokens = self._tokens(self.encoded_image, x, dtype)
        else:
            tokens = self._embed(tile.window.of(self.encoded_image), x, dtype)
        if len(tokens) > 1:
            tokens = repeat_to_batch_size(tokens, len(x) // chunks).repeat(chunks, 1, 1)
        return Control(
            network=self.network,
            tokens=tokens,
            strength=self.strength,
            sigma_range=self.sigma_range,
            implementation=self.settings.implementation,
        )

    def follow(self, model: Any) -> None:
        """Work out the range of sigmas in the schedule of a MODEL, which later nodes and the sampler may change."""
        sampling = model.get_model_object("model_sampling")
        self.sigma_range = SigmaRange.of_percents(self.settings.percents, sampling.percent_to_sigma)

    def before_sampling(self, executor: Any, model: Any, noise_shape: Sequence[int], *args: Any, **kwargs: Any) -> Any:
        """Encode before the sampler loads its models, so that the VAE does not evict them in the first step."""
        self.follow(model)
        if self.strength:
            image = self.inpaint_image if self.image is None else self.image
            fitted.tell(self.settings.node_id, _size(image), pixels_of(noise_shape))
            if not self.is_encoded(noise_shape):
                self.encode_for(noise_shape)
        return executor(model, noise_shape, *args, **kwargs)

    def is_encoded(self, shape: Sequence[int]) -> bool:
        """Whether `encoded_image` has the size of latents of this shape."""
        return self.encoded_image is not None and self.encoded_image_size == pixels_of(shape)

    def encode_for(self, shape: Sequence[int]) -> None:
        """Encode the images at the size of latents of this shape (…, H, W)."""
        self.encoded_image, self.encoded_image_size = self.encode(pixels_of(shape)), pixels_of(shape)

    def encode(self, size: Size) -> Tensor:
        """The network's input channels (r, c, H, W), from images scaled and center-cropped to `size` pixels."""
        image = None if self.image is None else self._latent(_fit(self.image, size, "area"))
        inpaint = None
        if self.inpaint_image is not None and self.mask is not None:
            pixels, mask = _fit(self.inpaint_image, size, "area"), self.mask[..., None]  # (r, h, w, k), (r, h, w, 1)
            masked = self._latent(masked_image(pixels, _fit(mask, size, "bilinear")[..., 0]))
            latent_size = (masked.shape[-2], masked.shape[-1])
            inpaint = (1 - _fit(mask, latent_size, "nearest").movedim(-1, 1)).to(masked), masked
        n_channels = self.network.config.in_channels
        if image is not None and (inpaint is not None or n_channels == image.shape[1]):
            return control_context(n_channels, image, inpaint, blank=image)  # nothing is missing
        given = image if inpaint is None else inpaint[1]
        assert given is not None
        is_grey = self.settings.implementation == "comfyui"
        blank = self._latent(torch.full((1, *size, 3), GREY)) if is_grey else torch.zeros_like(given[:1])
        return control_context(n_channels, image, inpaint, blank)

    def models(self) -> list[Any]:
        """The patchers that the sampler loads together with the MODEL."""
        return [self.model_patch] if self.strength else []

    def to(self, device_or_dtype: Any) -> "ZImageControlPatch":
        """Move to the MODEL's device."""
        if isinstance(device_or_dtype, torch.device) and self.encoded_image is not None:
            self.encoded_image = self.encoded_image.to(device_or_dtype)
        self.embedded = None
        return self

    def cleanup(self) -> None:
        """Free what was computed for one sampling run."""
        self.embedded = None

    def _tokens(self, context: Tensor, x: Tensor, dtype: torch.dtype) -> Tensor:
        """The embedded context (r, n, d), cached, since it is the same in every step."""
        if self.embedded is not None:
            encoded, tokens = self.embedded
            if encoded is context and tokens.dtype == dtype and tokens.device == x.device:
                return tokens
        tokens = self._embed(context, x, dtype)
        self.embedded = (context, tokens)
        return tokens

    def _embed(self, context: Tensor, x: Tensor, dtype: torch.dtype) -> Tensor:
        """The tokens (r, n, d) of a context (r, c, H, W)."""
        patch = (self.network.config.patch_size,) * 2
        return self.network.embed(pad_to_patch_size(context.to(device=x.device, dtype=dtype), patch))

    def _latent(self, images: Tensor) -> Tensor:
        with interruptible(self.vae):
            return LATENTS.process_in(self.vae.encode(images[..., :3]))


def apply(
    model: Any,
    model_patch: Any,
    vae: Any,
    image: Tensor | None,
    inpaint_image: Tensor | None,
    mask: Tensor | None,
    strength: float,
    percents: tuple[float, float],
    implementation: Implementation,
    node_id: str | None = None,
) -> Any:
    """A clone of a MODEL with a ControlNet, active from percents[0] to percents[1] of the run, both in [0, 1].

    `node_id` is that of the page's node on which to show how a picture was fitted to the latent.
    """
    image, inpaint_image = (None if images is None else rgb(images) for images in (image, inpaint_image))
    mask = None if mask is None else mask_batch(mask)
    network = control_net_of(model_patch)
    check_widths(network, _dit_of(model))
    _check_images(image, inpaint_image, mask, network.config.in_channels)
    check_vae(vae)
    settings = Settings(implementation, percents, node_id)
    patch = ZImageControlPatch(model_patch, vae, image, strength, inpaint_image, mask, settings)
    patch.follow(model)  # for calls of the network outside a sampling run
    clone = model.clone()
    clone.set_model_patch(patch, CONTROL_KEY)
    clone.add_wrapper_with_key(WrappersMP.PREPARE_SAMPLING, CONTROL_KEY, patch.before_sampling)
    return clone


def _dit_of(model: Any) -> S3DiT:
    """The network that will run for a MODEL, which must be ours."""
    network = running_network(model)
    if not isinstance(network, S3DiT):
        check_is_zimage(network, type(model.model).__name__)  # attaching is no remedy for another model
        raise ValueError(
            f"This model is run by ComfyUI's own code ({type(network).__name__}), which knows nothing of this node. "
            "Put Z-Image Attach before it, or load the model with Z-Image Load Model."
        )
    return network


def _check_images(image: Tensor | None, inpaint_image: Tensor | None, mask: Tensor | None, n_channels: int) -> None:
    if image is None and inpaint_image is None:
        raise ValueError(
            "The ControlNet has nothing to look at: connect a control picture to 'image' (edges, depth, a pose), or a "
            "picture and a mask to 'inpaint_image' and 'mask'."
        )
    if (inpaint_image is None) != (mask is None):
        given, missing = ("mask", "inpaint_image") if inpaint_image is None else ("inpaint_image", "mask")
        raise ValueError(f"'{given}' is connected without '{missing}': to repaint, a ControlNet needs both.")
    counts = [1 if images is None else len(images) for images in (image, inpaint_image, mask)]
    if len({*counts, 1}) > 2:
        raise ValueError(
            f"There are {counts[0]} control pictures, {counts[1]} pictures to repaint and {counts[2]} masks: give "
            "every input the same number, or one for all."
        )
    if inpaint_image is not None and n_channels == LATENTS.latent_channels:
        raise ValueError(
            f"This ControlNet reads {n_channels} channels, as version 1.0 does, and cannot repaint. "
            "Disconnect inpaint_image and mask, or load a 2.x file."
        )


def _fit(images: Tensor, size: Size, method: str) -> Tensor:
    """Images (r, h, w, k) scaled to a size and center-cropped to its ratio."""
    return common_upscale(images.movedim(-1, 1), size[1], size[0], method, "center").movedim(1, -1)


def pixels_of(shape: Sequence[int]) -> Size:
    """Height and width in pixels of the image behind latents of a shape (…, H, W)."""
    return shape[-2] * CELL, shape[-1] * CELL


def _size(images: Tensor | None) -> Size:
    assert images is not None
    return images.shape[1], images.shape[2]
