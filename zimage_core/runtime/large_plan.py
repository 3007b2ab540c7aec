"""How to draw a picture larger than the model's own size, and what it costs, decided before anything runs.

Z-Image composes at about its native side. Beyond it the picture is drawn small first and enlarged, and the last steps
run again at the larger size: in tiles of the native size, which take one tile's memory, or whole.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ..config import DiTConfig
from ..model.sequence import padded_length
from ..sampling import Tiling
from .flop_counts import step_flops

Size = tuple[int, int]  # height, width, in latent cells
Way = Literal["as it is", "whole", "tiles"]
WAYS: tuple[Way, ...] = ("as it is", "whole", "tiles")

CELL = 8  # pixels
AS_IT_IS = 1.25  # up to this many native sides, of a square of the same area, the model draws well by itself
WHOLE = 1.5  # up to this many sides one step over the whole picture keeps its places; beyond it objects repeat
OVERLAP = 0.25  # of a tile's side
NARROWEST = 0.5  # of the native side: the short side of a composition, unless the picture's own is shorter
CAPTION_TOKENS = 128  # of the prompt whose operations are counted


@dataclass(frozen=True, kw_only=True)
class LargePlan:
    """What is done, and its cost for one network call of one picture."""

    way: Way
    size: Size
    small: Size  # at which the picture is composed; `size` where the model draws it as it is
    tiling: Tiling
    small_flops: int
    flops: int  # all tiles together
    bytes_needed: int  # of the largest step, or of the autoencoder on the small picture

    @property
    def n_tiles(self) -> int:
        """Network calls of a step at the larger size."""
        return len(self.tiling.windows(self.size)) if self.way == "tiles" else 1


def plan_large(
    config: DiTConfig,
    size: Size,
    native: int,
    way: Way | None,
    bytes_of: Callable[[Size], int],
    decoding_bytes: Callable[[Size], int],
    bytes_free: int,
) -> LargePlan:
    """The plan for latents of a size; `native` is the native side in pixels and `way` None chooses.

    `bytes_of` counts a step's bytes at a size, `decoding_bytes` those in which a picture is decoded. What composes at
    its own size is drawn as it is. ValueError, with what would fit, if it does not fit.
    """
    side = native // CELL
    scale = (size[0] * size[1]) ** 0.5 / side
    tiling = Tiling(height=side, width=side, overlap=round(OVERLAP * side))
    tile, small = tiling.largest(size), small_size(size, side)
    enlarging = decoding_bytes(small)
    needed: dict[Way, int] = {
        "as it is": bytes_of(size),
        "whole": max(bytes_of(size), bytes_of(small), enlarging),
        "tiles": max(bytes_of(tile), bytes_of(small), enlarging),
    }
    if small == size:
        way = "as it is"
    if way is None:
        way = "as it is" if scale <= AS_IT_IS else "whole" if scale <= WHOLE else "tiles"
        if needed[way] > bytes_free:
            way = "tiles"
    if needed[way] > bytes_free:
        raise ValueError(too_large(size, needed[way], bytes_free, needed["tiles"]))
    small = size if way == "as it is" else small
    each = operations(config, tile if way == "tiles" else size)
    return LargePlan(
        way=way,
        size=size,
        small=small,
        tiling=tiling,
        small_flops=operations(config, small),
        flops=each * (len(tiling.windows(size)) if way == "tiles" else 1),
        bytes_needed=needed[way],
    )


def small_size(size: Size, side: int) -> Size:
    """A size of the same shape with the native area, sides even; never larger than `size`, and not too narrow."""
    shrink = min(1.0, max(side / (size[0] * size[1]) ** 0.5, NARROWEST * side / min(size)))
    height, width = (min(max(2, 2 * round(length * shrink / 2)), length) for length in size)
    return height, width


def operations(config: DiTConfig, size: Size) -> int:
    """Floating-point operations of a network call on one latent."""
    tokens = -(-size[0] // config.patch_size) * -(-size[1] // config.patch_size)
    return step_flops(config, padded_length(tokens), CAPTION_TOKENS)


def too_large(size: Size, needed: int, free: int, tiles: int) -> str:
    """The sentence for a step that does not fit."""
    found = (
        f"A step at {CELL * size[1]}x{CELL * size[0]} needs {needed / 2**30:.1f} GB and this machine has "
        f"{free / 2**30:.1f} GB for it."
    )
    if tiles <= free:
        return f"{found} Choose automatic or tiles, which need {tiles / 2**30:.1f} GB."
    return f"{found} Even tiles need {tiles / 2**30:.1f} GB: close other programs, or use a GPU with more memory."
