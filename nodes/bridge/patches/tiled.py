"""Tiles on a MODEL, for any sampler and any Z-Image network, ours or ComfyUI's."""

from functools import partial
from typing import Any

import comfy.model_base
from comfy.patcher_extension import WrappersMP

from ....zimage_core.sampling import Tiling
from ..loading.vae import CELL
from ..network import tiles
from ..network.tiles import KEY
from .run_state import replace_wrappers


def tiling_of(tile_size: int, overlap: int) -> Tiling:
    """Square tiles from widgets in pixels; ValueError if they overlap wholly."""
    return Tiling(height=tile_size // CELL, width=tile_size // CELL, overlap=overlap // CELL)


def with_tiles(model: Any, tiling: Tiling) -> Any:
    """A clone of the model that is evaluated in tiles, in place of those of an earlier node."""
    if not isinstance(model.model, comfy.model_base.Lumina2):
        raise ValueError(
            f"Tiles are made for Z-Image models, but the model here is {type(model.model).__name__}. Connect a Z-Image "
            "model from any loader."
        )
    clone = model.clone()
    wrappers = {
        WrappersMP.OUTER_SAMPLE: partial(tiles.sample_with_one_tiles_memory, tiling),
        WrappersMP.DIFFUSION_MODEL: partial(tiles.evaluate_in_tiles, tiling),
    }
    replace_wrappers(clone, KEY, wrappers)
    return clone
