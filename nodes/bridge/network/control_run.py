"""The moment in an evaluation where the graph's ControlNets join in."""

from typing import Any

from torch import Tensor

from ....zimage_core.adapters.control.control import ALWAYS
from ....zimage_core.adapters.control.flow import ControlledRun
from ....zimage_core.model import RunBlock
from .blocks import HostedBlocks

KEY = "zimage_control"  # the name of our patches among a MODEL's; native knows no such patches and passes them by


def controlled(run: HostedBlocks, x: Tensor, sigma: Tensor) -> RunBlock:
    """The way through the blocks with the hints of all ControlNets that act at this noise level on latents `x`."""
    active = [patch for patch in run.patches.get(KEY, ()) if _is_active(patch, sigma)]
    if not active:
        return run
    assert run.condition is not None
    if run.condition.n_clean:
        raise ValueError(
            "A ControlNet and reference pictures cannot steer one picture together: ControlNets were not trained with "
            "references. Take Z-Image Apply ControlNet out of the graph, or the references."
        )
    dtype, chunks = run.condition.caption.dtype, len(run.options.get("cond_or_uncond", (0,)))
    return ControlledRun([patch.control(x, dtype, chunks) for patch in active], run)


def _is_active(patch: Any, sigma: Tensor) -> bool:
    """The noise level is read only if the range is limited, since reading it waits for the GPU."""
    sigma_range = patch.settings.sigma_range
    return patch.strength != 0 and (sigma_range == ALWAYS or sigma_range.covers(float(sigma[0])))
