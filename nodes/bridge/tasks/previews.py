"""Previews during sampling that never synchronize with the GPU.

ComfyUI's own preview copies the colours of a step to the CPU at once, so Python waits for the GPU to finish the step
and launches the next one late. Here the copy is asynchronous; the first later step at which it is complete shows it.
"""

from collections.abc import Callable
from typing import Any, Protocol

import comfy.utils
import latent_preview
import torch
from comfy import model_management
from PIL import Image
from torch import Tensor

from ..loading.vae import CELL

Callback = Callable[[int, Tensor, Tensor, int], None]


class PreviewCopy(Protocol):
    """A preview image that is being copied to the CPU."""

    def result(self) -> Tensor | None:
        """Its 8-bit levels (h, w, 3), or None while the copy is running."""
        ...


class AsyncCopy:
    """An asynchronous copy into pinned memory, with an event recorded behind it."""

    def __init__(self, levels: Tensor) -> None:
        self.pinned = torch.empty(levels.shape, dtype=levels.dtype, pin_memory=True).copy_(levels, non_blocking=True)
        self.event = torch.Event(device=levels.device)
        self.event.record()

    def result(self) -> Tensor | None:
        return self.pinned if self.event.query() else None


def prepare_callback(model: Any, steps: int, bar: Any = None) -> Callback:
    """The callback of `latent_preview.prepare_callback`, or ours for ComfyUI's linear preview.

    TAESD previews and those of other packs stay as they are. `bar` is moved in place of one of this run's own.
    """
    previewer = latent_preview.get_previewer(model.load_device, model.model.latent_format)
    if type(previewer) is not latent_preview.Latent2RGBPreviewer:
        return previewers_callback(previewer, bar) if bar else latent_preview.prepare_callback(model, steps)
    bar = bar or comfy.utils.ProgressBar(steps)
    if model_management.is_device_cuda(model.load_device):
        return async_callback(previewer, bar, AsyncCopy)
    return immediate_callback(previewer, bar)


def immediate_callback(previewer: Any, bar: Any) -> Callback:
    """A callback that shows every step at once, for latents the CPU can read without waiting."""

    def callback(step: int, x0: Tensor, x: Tensor, total_steps: int) -> None:
        bar.update_absolute(step + 1, total_steps, message_of(levels_of(previewer, x0).cpu(), x0))

    return callback


def previewers_callback(previewer: Any, bar: Any) -> Callback:
    """What `latent_preview.prepare_callback` does, for a bar that is given."""

    def callback(step: int, x0: Tensor, x: Tensor, total_steps: int) -> None:
        shown = previewer.decode_latent_to_preview_image("JPEG", x0) if previewer else None
        bar.update_absolute(step + 1, total_steps, shown)

    return callback


def async_callback(previewer: Any, bar: Any, start_copy: Callable[[Tensor], PreviewCopy]) -> Callback:
    """A callback that shows with each step the preview of an earlier one, once its copy is complete."""
    pending: PreviewCopy | None = None

    def callback(step: int, x0: Tensor, x: Tensor, total_steps: int) -> None:
        nonlocal pending
        levels = None if pending is None else pending.result()
        bar.update_absolute(step + 1, total_steps, None if levels is None else message_of(levels, x0))
        if pending is None or levels is not None:
            pending = start_copy(levels_of(previewer, x0))

    return callback


def message_of(levels: Tensor, x0: Tensor) -> tuple[str, Image.Image, int]:
    """What ComfyUI sends to the page: format, preview, and the longest side it scales the preview to, which is never
    more than the finished picture's.
    """
    longest = CELL * max(x0.shape[-2:])
    return "JPEG", Image.fromarray(levels.numpy()), min(latent_preview.MAX_PREVIEW_RESOLUTION, longest)


def levels_of(previewer: Any, x0: Tensor) -> Tensor:
    """The first latent of a batch as 8-bit RGB levels (h, w, 3) on its device, by the previewer's linear factors."""
    if previewer.latent_rgb_factors_reshape is not None:
        x0 = previewer.latent_rgb_factors_reshape(x0[:1])
    latent = x0[0, :, 0] if x0.ndim == 5 else x0[0]
    previewer.latent_rgb_factors = previewer.latent_rgb_factors.to(latent)
    bias = previewer.latent_rgb_factors_bias
    previewer.latent_rgb_factors_bias = None if bias is None else bias.to(latent)
    colours = torch.nn.functional.linear(
        latent.movedim(0, -1), previewer.latent_rgb_factors, previewer.latent_rgb_factors_bias
    )
    return ((colours + 1) / 2).clamp(0, 1).mul(255).to(torch.uint8)
