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


def prepare_callback(model: Any, steps: int) -> Callback:
    """The callback of `latent_preview.prepare_callback`, or ours for ComfyUI's linear preview on CUDA.

    TAESD previews and those of other packs stay as they are.
    """
    previewer = latent_preview.get_previewer(model.load_device, model.model.latent_format)
    if type(previewer) is latent_preview.Latent2RGBPreviewer and model_management.is_device_cuda(model.load_device):
        return async_callback(previewer, comfy.utils.ProgressBar(steps), AsyncCopy)
    return latent_preview.prepare_callback(model, steps)


def async_callback(previewer: Any, bar: Any, start_copy: Callable[[Tensor], PreviewCopy]) -> Callback:
    """A callback that shows with each step the preview of an earlier one, once its copy is complete."""
    pending: PreviewCopy | None = None

    def callback(step: int, x0: Tensor, x: Tensor, total_steps: int) -> None:
        nonlocal pending
        levels = None if pending is None else pending.result()
        preview = None
        if levels is not None:
            preview = ("JPEG", Image.fromarray(levels.numpy()), latent_preview.MAX_PREVIEW_RESOLUTION)
        bar.update_absolute(step + 1, total_steps, preview)
        if pending is None or levels is not None:
            pending = start_copy(levels_of(previewer, x0))

    return callback


def levels_of(previewer: Any, x0: Tensor) -> Tensor:
    """The first latent of a batch as 8-bit RGB levels (h, w, 3) on its device, by the previewer's linear factors."""
    latent = x0[0, :, 0] if x0.ndim == 5 else x0[0]
    previewer.latent_rgb_factors = previewer.latent_rgb_factors.to(latent)
    bias = previewer.latent_rgb_factors_bias
    previewer.latent_rgb_factors_bias = None if bias is None else bias.to(latent)
    colours = torch.nn.functional.linear(
        latent.movedim(0, -1), previewer.latent_rgb_factors, previewer.latent_rgb_factors_bias
    )
    return ((colours + 1) / 2).clamp(0, 1).mul(255).to(torch.uint8)
