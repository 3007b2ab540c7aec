"""A Fun ControlNet that looks at the enlarged picture of Z-Image Large Picture, so that its last steps keep to it.

The picture exists only within the run. So the ControlNet is loaded with the MODEL from the start, and acts once it has
been shown the picture's latents: those from which the run goes on, so that nothing is encoded a second time.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ....zimage_core.adapters.control.context import control_context
from ....zimage_core.adapters.control.control import ALWAYS, SigmaRange
from ....zimage_core.adapters.control.flow import check_widths
from ..loading.control_net import control_net_of
from ..network.attach import running_network
from ..network.control_hints import CONTROL_KEY
from .control import LATENTS, ZImageControlPatch, pixels_of

NEVER = SigmaRange(-1.0, -1.0)  # no noise level
NO_PICTURE = torch.zeros(1, 1, 1, 3)


class EnlargedControl(ZImageControlPatch):
    """A ControlNet without a picture, until the enlarged one is there."""

    def __init__(self, model_patch: Any, vae: Any, strength: float) -> None:
        super().__init__(model_patch, vae, NO_PICTURE, strength)
        self.sigma_range = NEVER

    @contextmanager
    def looking_at(self, latents: Tensor) -> Generator[None]:
        """The ControlNet acts on raw latents (b, 16, h, w) of the pictures, for the length of a `with` block."""
        image = LATENTS.process_in(latents)
        self.encoded_image = control_context(self.network.config.in_channels, image, None, torch.zeros_like(image[:1]))
        self.encoded_image_size, self.sigma_range = pixels_of(latents.shape), ALWAYS
        try:
            yield
        finally:
            self.encoded_image, self.embedded, self.sigma_range = None, None, NEVER


def with_enlarged_control(clone: Any, model_patch: Any, strength: float, vae: Any) -> EnlargedControl:
    """Put such a ControlNet on a MODEL that our network runs; ValueError for one of another width."""
    check_widths(control_net_of(model_patch), running_network(clone))
    control = EnlargedControl(model_patch, vae, strength)
    clone.set_model_patch(control, CONTROL_KEY)
    return control
