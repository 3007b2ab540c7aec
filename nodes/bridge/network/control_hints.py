"""The blocks of one network call, with the hints of the MODEL's ControlNets added to them."""

from typing import Any

from torch import Tensor

from ....zimage_core.adapters.control.control import ALWAYS
from ....zimage_core.adapters.control.flow import ControlledRun
from ....zimage_core.model import RunBlock
from .blocks import PatchedBlocks
from .tiles import tile_of

CONTROL_KEY = "zimage_control"  # key of our patches in a MODEL; stock code ignores patches of unknown names


def with_control_hints(blocks: PatchedBlocks, x: Tensor, sigma: Tensor) -> RunBlock:
    """Blocks that add the hints of all ControlNets active at noise levels sigma (b,), for latents x (b, 16, h, w)."""
    active = [patch for patch in blocks.patches.get(CONTROL_KEY, ()) if _is_active(patch, sigma)]
    if not active:
        return blocks
    assert blocks.condition is not None
    if blocks.condition.n_clean:
        raise ValueError(
            "A ControlNet and reference pictures cannot steer one picture together: ControlNets were not trained with "
            "references. Take Z-Image Apply ControlNet out of the graph, or the references."
        )
    dtype, chunks = blocks.condition.caption.dtype, len(blocks.options.get("cond_or_uncond", (0,)))
    tile = tile_of(blocks.options)
    return ControlledRun([patch.control(x, dtype, chunks, tile) for patch in active], blocks)


def _is_active(patch: Any, sigma: Tensor) -> bool:
    """The noise level is read only if the range is limited, since reading it waits for the GPU."""
    return patch.strength != 0 and (patch.sigma_range == ALWAYS or patch.sigma_range.covers(float(sigma[0])))
