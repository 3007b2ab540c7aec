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
    """Square tiles from widgets in pixels; ValueError if they overlap by more than half, which only costs more."""
    if 2 * overlap > tile_size > overlap:
        times = (tile_size / (tile_size - overlap)) ** 2
        raise ValueError(
            f"Tiles of {tile_size} that overlap by {overlap} draw every place about {times:.0f} times. Set overlap to "
            f"at most half of the tile, {tile_size // 2}; a quarter, {tile_size // 4}, shows no seam."
        )
    return Tiling(height=tile_size // CELL, width=tile_size // CELL, overlap=overlap // CELL)


def cost_note(tiling: Tiling) -> str:
    """How many tiles a step has, for two sizes in sides of a tile, and the work beside that of plain tiles."""
    sides = [times * tiling.height for times in (2, 4)]
    small, large = (len(tiling.windows((side, side))) for side in sides)
    return (
        f"{CELL * sides[0]}x{CELL * sides[0]} is {small} tiles and model calls a step, {CELL * sides[1]}x"
        f"{CELL * sides[1]} {large}: {large / 16:.2g} times the work of tiles that do not overlap."
    )


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
