"""Attention shared with reference pictures, as model wrappers for any Z-Image MODEL.

The references' keys and values are computed at the first step of a run that needs them, and dropped with the run.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ....zimage_core.adapters.control.control import SigmaRange
from ....zimage_core.conditioning.part_of_run import Percents, begins_in
from ....zimage_core.conditioning.shared_attention import SharedLayers, offsets_beside
from ....zimage_core.model.sequence import patch_grid
from ..network.attach import attach, running_network
from ..network.blocks import ATTENTION_OVERRIDE, SHARED_ATTENTION
from ..network.conditions import WEIGHTS_AT_STEP
from .run_state import options_of_run, replace_wrappers

KEY = "zimage_style_reference"
ROPE = "rope_options"  # ComfyUI's: scale and shift of positions
FOR_REFERENCES = (ATTENTION_OVERRIDE, WEIGHTS_AT_STEP, "sigmas", "sample_sigmas")  # options of their own network call
Options = dict[str, Any]


def with_style_reference(model: Any, latents: Sequence[Tensor], strength: float, percents: Percents) -> Any:
    """A clone of a MODEL whose attention is shared with raw latents (1, 16, h, w) in a part of each run.

    It replaces the references of an earlier node. Without latents, at `strength` 0 or in an empty part there are none
    and the MODEL runs as it came.
    """
    is_on = bool(latents) and strength > 0 and percents[0] < percents[1]
    clone = attach(model).clone() if is_on else model.clone()
    clean = [model.model.process_latent_in(latent) for latent in latents]
    wrappers = {
        WrappersMP.OUTER_SAMPLE: partial(sample_with_references, clean, strength, percents),
        WrappersMP.DIFFUSION_MODEL: call_with_references,
    }
    replace_wrappers(clone, KEY, wrappers, is_on=is_on)
    return clone


class Run:
    """The references of one sampling run, and what was computed from them."""

    def __init__(self, latents: Sequence[Tensor], strength: float, sigma_range: SigmaRange, patch: int) -> None:
        self.latents = latents  # (1, 16, h, w) each, clean, scaled as the model's
        self.strength = strength
        self.sigma_range = sigma_range
        self.patch = patch
        self.shared: dict[object, SharedLayers] = {}  # by the picture's size, device and type

    def layers(self, executor: Any, x: Tensor, context: Tensor, options: Options, length: int) -> SharedLayers:
        """Keys and values of the references beside a picture x (b, 16, h, w)."""
        key = (x.shape[-2:], x.device, x.dtype, options.get(WEIGHTS_AT_STEP))
        if key not in self.shared:
            self.shared = {key: SharedLayers()}
            self._look_at(self.shared[key], executor, x, context[:1, :length], options)
        return self.shared[key]

    def _look_at(self, layers: SharedLayers, executor: Any, x: Tensor, caption: Tensor, options: Options) -> None:
        size, *sizes = (self._grid(each) for each in (x, *self.latents))
        kept = {name: options[name] for name in FOR_REFERENCES if name in options}
        rope = options.get(ROPE) or {}
        for latent, (down, across) in zip(self.latents, offsets_beside(size, sizes), strict=True):
            moved = {
                **rope,
                "shift_y": rope.get("shift_y", 0.0) + down * rope.get("scale_y", 1.0),
                "shift_x": rope.get("shift_x", 0.0) + across * rope.get("scale_x", 1.0),
            }
            own = {**kept, ROPE: moved, SHARED_ATTENTION: layers.recording}
            executor(
                *(latent.to(x), x.new_zeros(1), caption, None, None),
                transformer_options=own,
                caption_lengths=(caption.shape[1],),
            )

    def _grid(self, latent: Tensor) -> tuple[int, int]:
        """Patches down and across of a latent; odd sides are padded, as the network does."""
        height, width = (side + side % self.patch for side in latent.shape[-2:])
        return patch_grid((height, width), self.patch)


def sample_with_references(
    latents: Sequence[Tensor], strength: float, percents: Percents, executor: Any, *args: Any, **kwargs: Any
) -> Tensor:
    """OUTER_SAMPLE wrapper: one sampling run with references."""
    guider = executor.class_obj
    schedule = guider.model_patcher.get_model_object("model_sampling")
    sigma_range = SigmaRange.of_percents(percents, schedule.percent_to_sigma)
    patch = running_network(guider.model_patcher).config.patch_size
    with options_of_run(guider, {KEY: Run(latents, strength, sigma_range, patch)}):
        return executor(*args, **kwargs)


def call_with_references(
    executor: Any, x: Tensor, timesteps: Tensor, context: Tensor, *args: Any, **kwargs: Any
) -> Tensor:
    """DIFFUSION_MODEL wrapper: one network call that also attends to the references, if it lies in their range."""
    options: Options = kwargs.get("transformer_options", {})
    run: Run | None = options.get(KEY)
    if run is None or not begins_in(float(timesteps.flatten()[0]), run.sigma_range):
        return executor(x, timesteps, context, *args, **kwargs)
    length = (kwargs.get("caption_lengths") or (context.shape[1],))[0]
    layers = run.layers(executor, x, context, options, length)

    def share(index: int, image: slice, attend: Any) -> Any:
        return layers.sharing(index, run.strength, attend)

    kwargs["transformer_options"] = {**options, SHARED_ATTENTION: share}
    return executor(x, timesteps, context, *args, **kwargs)
