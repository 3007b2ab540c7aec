"""Pictures of a latent while it is drawn, without ever waiting for the device.

ComfyUI's preview copies the colours of a step at once, so the host waits until the device has caught up and the next
step starts late. Here the copy travels beside the work and is shown with the next step, if it has arrived by then.
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


class Copy(Protocol):
    """A picture on its way to the host."""

    def arrived(self) -> Tensor | None:
        """Its levels (h, w, 3) in 0 to 255, or None as long as they travel."""
        ...


class Travelling:
    """A copy into pinned memory, with a mark behind it in the device's queue."""

    def __init__(self, levels: Tensor) -> None:
        self.host = torch.empty(levels.shape, dtype=levels.dtype, pin_memory=True).copy_(levels, non_blocking=True)
        self.mark = torch.Event(device=levels.device)
        self.mark.record()

    def arrived(self) -> Tensor | None:
        return self.host if self.mark.query() else None


def prepare_callback(model: Any, steps: int) -> Callback:
    """What `latent_preview.prepare_callback` gives, or the same without waiting where that is possible.

    It is for ComfyUI's linear preview on CUDA. The small decoder, and previews of other packs, stay as they are.
    """
    previewer = latent_preview.get_previewer(model.load_device, model.model.latent_format)
    if type(previewer) is latent_preview.Latent2RGBPreviewer and model_management.is_device_cuda(model.load_device):
        return deferred(previewer, comfy.utils.ProgressBar(steps), Travelling)
    return latent_preview.prepare_callback(model, steps)


def deferred(previewer: Any, bar: Any, send: Callable[[Tensor], Copy]) -> Callback:
    """Shows with every step the newest earlier one whose colours have arrived."""
    pending: Copy | None = None

    def callback(step: int, x0: Tensor, x: Tensor, total_steps: int) -> None:
        nonlocal pending
        levels = None if pending is None else pending.arrived()
        shown = None
        if levels is not None:
            shown = ("JPEG", Image.fromarray(levels.numpy()), latent_preview.MAX_PREVIEW_RESOLUTION)
        bar.update_absolute(step + 1, total_steps, shown)
        if pending is None or levels is not None:
            pending = send(levels_of(previewer, x0))

    return callback


def levels_of(previewer: Any, x0: Tensor) -> Tensor:
    """A latent's colours (h, w, 3) as 8-bit levels, still on its device; the factors are the previewer's own."""
    latent = x0[0, :, 0] if x0.ndim == 5 else x0[0]
    previewer.latent_rgb_factors = previewer.latent_rgb_factors.to(latent)
    bias = previewer.latent_rgb_factors_bias
    previewer.latent_rgb_factors_bias = None if bias is None else bias.to(latent)
    colours = torch.nn.functional.linear(
        latent.movedim(0, -1), previewer.latent_rgb_factors, previewer.latent_rgb_factors_bias
    )
    return ((colours + 1) / 2).clamp(0, 1).mul(255).to(torch.uint8)
