"""A network call in overlapping tiles: `DIFFUSION_MODEL` and `OUTER_SAMPLE` wrappers for any Z-Image MODEL.

Every call of the network by any sampler becomes one call for each tile of the latent, and their velocities are blended.
A tile is a picture by itself to the network, with positions from 0. ComfyUI is told the memory of one tile.
"""

import logging
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ....zimage_core.sampling import Tiling, Window, blend

LOGGER = logging.getLogger("zimage")

KEY = "zimage_tiles"  # of the wrappers
TILE = "zimage_tile"  # key of a `Tile` in transformer options, while the network runs on one

STOCK_CONTROL = (
    "A ControlNet of a stock node cannot be cut into tiles: its hints would be those of the whole picture, squeezed. "
    "Use Z-Image Load ControlNet and Z-Image Apply ControlNet in its place."
)


class Tile(NamedTuple):
    """Which part of a latent a network call sees, and the size of the whole in cells."""

    window: Window
    size: tuple[int, int]


def evaluate_in_tiles(
    tiling: Tiling, executor: Any, x: Tensor, timesteps: Tensor, context: Tensor, *args: Any, **kwargs: Any
) -> Tensor:
    """DIFFUSION_MODEL wrapper; a latent that one tile covers is evaluated as it is."""
    if x.ndim != 4 or len(tiling.windows(size := (x.shape[-2], x.shape[-1]))) == 1:
        return executor(x, timesteps, context, *args, **kwargs)
    options = kwargs.get("transformer_options", {})
    check_controls(options)

    def evaluate(tile: Tensor, window: Window) -> Tensor:
        own = {**options, TILE: Tile(window, size)}
        if "uuids" in options:  # step caches keep a prompt's prediction under its id: each tile has its own
            own["uuids"] = [(each, window) for each in options["uuids"]]
        return executor(tile, timesteps, context, *args, **{**kwargs, "transformer_options": own})

    return blend(tiling, x, evaluate)


def sample_with_one_tiles_memory(tiling: Tiling, executor: Any, *args: Any, **kwargs: Any) -> Any:
    """OUTER_SAMPLE wrapper: while it samples, ComfyUI reserves what a step on one tile takes. The log says how many."""
    shape = args[0].shape if args else ()
    if len(shape) == 4 and (count := len(tiling.windows((shape[-2], shape[-1])))) > 1:
        LOGGER.info("Z-Image: %d tiles a step, each a call of the model", count)
    with memory_of(executor.class_obj.model_patcher.model, tiling):
        return executor(*args, **kwargs)


@contextmanager
def memory_of(model: Any, tiling: Tiling) -> Generator[None]:
    """A BaseModel whose `memory_required` is that of a tile."""
    earlier = vars(model).get("memory_required")
    model.memory_required = partial(tile_memory, model.memory_required, tiling)
    try:
        yield
    finally:
        del model.memory_required
        if earlier is not None:
            model.memory_required = earlier


def tile_memory(
    required: Any, tiling: Tiling, input_shape: Sequence[int], cond_shapes: Mapping[str, Any] = {}
) -> float:  # noqa: B006 - ComfyUI's
    """Bytes of a step on latents (b, 16, h, w), of which one tile is evaluated at a time."""
    if len(input_shape) != 4:
        return required(input_shape, cond_shapes=cond_shapes)
    size = tiling.largest((input_shape[-2], input_shape[-1]))
    return required([*input_shape[:-2], *size], cond_shapes=cond_shapes)


def is_tiled(model: Any) -> bool:
    """Whether a MODEL is evaluated in tiles."""
    return bool(model.get_wrappers(WrappersMP.DIFFUSION_MODEL, KEY))


def tile_of(options: Mapping[str, Any]) -> Tile | None:
    """The tile that a network call sees; None for a whole latent."""
    return options.get(TILE)


def check_controls(options: Mapping[str, Any]) -> None:
    """Refuse ControlNets of stock nodes, which know nothing of tiles."""
    patches = options.get("patches", {})
    for name in ("noise_refiner", "double_block"):
        if any(hasattr(patch, "encoded_image") for patch in patches.get(name, ())):
            raise ValueError(STOCK_CONTROL)
