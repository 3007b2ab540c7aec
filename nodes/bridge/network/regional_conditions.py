"""Regions with prompts of their own, from a CONDITIONING to the network's calls.

Letters: b batch, n tokens, f width of the text embeddings, k captions, p image tokens, c latent channels, H W cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from comfy.conds import CONDConstant, CONDRegular
from torch import Tensor

from ....zimage_core.adapters import Lora, TokenLora, parameter_shapes
from ....zimage_core.adapters.control.control import ALWAYS, SigmaRange
from ....zimage_core.conditioning.part_of_run import WHOLE_RUN, Percents, begins_in
from ....zimage_core.conditioning.region_area import Area, caption_weights, token_coverage
from .overflow import ENCODER_OVERFLOWED, check_finite
from .tiles import Tile
from .unequal_prompts import token_count

PATCH = 2  # side of an image token in latent cells
REGIONS_KEY = "zimage_regions"  # in conditioning: the regions of its prompt, in the order of their nodes


@dataclass(frozen=True, kw_only=True, eq=False)
class Region:
    """A part of the picture with a prompt of its own."""

    caption: Tensor  # (b, n, f)
    area: Area
    strength: float = 1.0  # of its words inside
    outside: float = 0.0  # of its words elsewhere, relative to inside
    global_weight: float = 0.0  # of the whole prompt inside
    percents: Percents = WHOLE_RUN  # of the schedule, from its start at pure noise
    lora: tuple[Lora, float] | None = None  # for its tokens and words alone, at a strength
    sigma_range: SigmaRange = ALWAYS  # of the percents, in the schedule of this run
    running_lora: TokenLora | None = None  # the LoRA in this run


RunRegions = tuple[Region, ...]  # of one prompt


def regions_of_run(model: Any, regions: Sequence[Region], device: Any) -> RunRegions:
    """Regions with captions where a BaseModel computes, and the noise levels at which they act."""
    to_sigma = model.model_sampling.percent_to_sigma
    placed: list[Region] = []
    for region in regions:
        check_finite(region.caption, "A region's prompt", ENCODER_OVERFLOWED)
        caption = region.caption.to(device=device, dtype=model.get_dtype_inference())
        is_always = region.percents == WHOLE_RUN
        span = ALWAYS if is_always else SigmaRange.of_percents(region.percents, to_sigma)
        running = None if region.lora is None else _running(*region.lora, model, device)
        placed.append(replace(region, caption=caption, sigma_range=span, running_lora=running))
    return tuple(placed)


def _running(lora: Lora, strength: float, model: Any, device: Any) -> TokenLora:
    """A LoRA for one run of a BaseModel; AdapterError, a ValueError, if it does not fit."""
    return TokenLora(lora.fitted(parameter_shapes(model.diffusion_model)), strength, device)


def captions_shape(regions: Sequence[Region]) -> list[int]:
    """What a prompt's regions take in a step, as a shape (1, regions, tokens of their captions)."""
    return [1, len(regions), sum(token_count(region.caption.shape[1]) for region in regions)]


class Heard(NamedTuple):
    """Which captions of a prompt with regions the picture hears (0 is the whole prompt), and how much where."""

    captions: list[int]
    weights: Tensor  # (k, p)

    @property
    def is_plain(self) -> bool:
        """Whether there is one caption, heard everywhere as the model would."""
        return len(self.captions) == 1 and bool((self.weights == 1).all())


def heard_captions(regions: RunRegions, size: tuple[int, int], tile: Tile | None = None) -> Heard:
    """What a picture of a patch grid, or a tile, hears of a prompt with regions; captions nobody hears are left out."""
    if not regions:
        return Heard([0], torch.ones(1, 1))
    weights = caption_weights(
        [region_coverage(region.area, size, tile) for region in regions],
        strengths=[region.strength for region in regions],
        outsides=[region.outside for region in regions],
        global_weights=[region.global_weight for region in regions],
    )
    kept = [index for index, row in enumerate(weights) if row.any()]
    return Heard(kept, weights[kept])


def region_coverage(area: Area, size: tuple[int, int], tile: Tile | None) -> Tensor:
    """The part of every image token that an area covers (p,), of a whole picture or of a tile."""
    if tile is None:
        return token_coverage(area, size)
    rows, columns = (-(-side // PATCH) for side in tile.size)
    top, left = tile.window.top // PATCH, tile.window.left // PATCH
    whole = token_coverage(area, (rows, columns)).view(rows, columns)
    return whole[top : top + size[0], left : left + size[1]].flatten()


def prompt_and_regions(
    caption: Tensor, regions: Sequence[Region], noise: Sequence[int]
) -> tuple[Tensor, Sequence[Region]]:
    """The prompt and the regions for a latent (b, c, H, W).

    One region that covers all and hides the prompt takes its place, unless a LoRA of its own is to be added. A prompt
    of zeros, as a zeroed negative, has none.
    """
    if regions and not caption.any():
        return caption, ()
    is_alone = len(regions) == 1 and regions[0].lora is None
    if is_alone and regions[0].percents == WHOLE_RUN and len(noise) == 4:
        heard = heard_captions(tuple(regions), (-(-noise[-2] // PATCH), -(-noise[-1] // PATCH)))
        if heard.captions == [1] and heard.is_plain:
            return regions[0].caption, ()
    return caption, regions


class RegionsCond(CONDConstant):
    """The regions of every prompt in a call; a prompt with regions joins others only for a node that compares them."""

    cond: tuple[RunRegions, ...]

    def __init__(self, cond: tuple[RunRegions, ...], *, joins_all: bool = False) -> None:
        super().__init__(cond)
        self.joins_all = joins_all

    def _copy_with(self, cond: tuple[RunRegions, ...]) -> "RegionsCond":
        return RegionsCond(cond, joins_all=self.joins_all)

    def can_concat(self, other: CONDRegular) -> bool:
        return self.joins_all and isinstance(other, RegionsCond) and other.joins_all

    def concat(self, others: list[CONDRegular]) -> tuple[RunRegions, ...]:
        return sum((other.cond for other in others), self.cond)


def active_regions(regions: Sequence[RunRegions], sigma: Tensor) -> tuple[RunRegions, ...]:
    """Those that act at noise levels sigma (b,); the level is read only if a range is limited, as it waits for the GPU.

    A run's end, sigma 0, is no noise level of a call, and one at a range's end belongs to what comes after.
    """
    if all(region.sigma_range == ALWAYS for each in regions for region in each):
        return tuple(regions)
    level = float(sigma.flatten()[0])
    return tuple(tuple(region for region in each if begins_in(level, region.sigma_range)) for each in regions)
