"""Picture sizes that nano was not made for: it draws them, and the log and the sampler's report say what to expect."""

import logging
import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ....zimage_core.config import NANO_DIT, NANO_LONGEST_SIDE, NANO_SIDE
from ....zimage_core.regions import CELL
from .nano_latents import NanoLatents
from .tiles import is_tiled

LOGGER = logging.getLogger("zimage")
KEY = "zimage_nano_size"


def size_note(model: Any, shape: Sequence[int], *, is_masked: bool) -> str:
    """A sentence if a MODEL is nano and latents of this shape (..., H, W) are no size of its own; else nothing.

    Where a mask keeps most of a picture, only the area counts: what is kept shows what shapes look like there.
    """
    if not isinstance(model.model.latent_format, NanoLatents) or is_tiled(model):
        return ""
    height, width = shape[-2:]
    patch = NANO_DIT.patch_size
    area_side = patch * round(math.sqrt(height * width) / patch)
    sides = (area_side,) if is_masked else (height, width)
    if all(NANO_SIDE <= CELL * side <= NANO_LONGEST_SIDE for side in sides):
        return ""
    return (
        f"The built-in nano model was made for {NANO_SIDE}x{NANO_SIDE} pixels and does not draw well at "
        f"{CELL * width}x{CELL * height}. Set the size to {NANO_SIDE}x{NANO_SIDE}, which is 0.004 megapixels."
    )


def warn_of_size(
    executor: Any, noise: Tensor, latent: Tensor, sampler: Any, sigmas: Tensor, mask: Any = None, *args: Any, **kw: Any
) -> Any:
    """OUTER_SAMPLE wrapper: one line in the log for a run of any sampler."""
    if note := size_note(executor.class_obj.model_patcher, noise.shape, is_masked=mask is not None):
        LOGGER.warning("Z-Image: %s", note)
    return executor(noise, latent, sampler, sigmas, mask, *args, **kw)
