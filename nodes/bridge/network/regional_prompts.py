"""What a run prepares of prompts with regions: captions side by side, and what each part of the picture hears of them.

Letters: b batch, n m tokens, f width of the text embeddings, k captions, p image tokens.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ....zimage_core.adapters import TokenLora
from ....zimage_core.conditioning.region_bias import (
    BiasChannels,
    RegionBias,
    bias_channels,
    filled_bias,
    region_bias,
)
from ....zimage_core.model import Condition, RunBlock, S3DiT
from ....zimage_core.model.captions import side_by_side
from ....zimage_core.model.sequence import Grid, patch_grid
from .region_loras import PlacedShares, only_for, placed_shares, shares_of
from .regional_conditions import RunRegions, heard_captions
from .tiles import Tile
from .unequal_prompts import filled, hidden_fill, stacked, token_count


class Regional(NamedTuple):
    """A condition, the bias of its joint sequence, and the mask that hides fill, where prompts differ."""

    condition: Condition
    bias: BiasChannels | None
    mask: Tensor | None  # (b, 1, m, m)
    lengths: list[int]  # of every item: its longest caption's, with pads, behind which the picture's positions begin
    shares: PlacedShares  # of the LoRAs of regions


class Part(NamedTuple):
    """Items of a batch that are prepared together."""

    condition: Condition
    bias: RegionBias | None
    lengths: Sequence[int]  # of its captions, with pads
    shares: Mapping[TokenLora, Tensor]  # (m,) of every LoRA of its regions

    @property
    def n_text(self) -> int:
        """Caption tokens of an item."""
        return sum(self.lengths)


def prepare_regional(
    network: S3DiT,
    captions: Sequence[Tensor],
    regions: Sequence[RunRegions],
    latent_size: tuple[int, int],
    *,
    tile: Tile | None,
    grid: Grid,
    run: RunBlock,
) -> Regional:
    """Captions (n, f) of b items and the regions of every prompt among them, whose items follow one another.

    A latent (H, W) that is a tile hears what its part of the whole picture does.
    """
    size = patch_grid(latent_size, network.config.patch_size)
    heard = [heard_captions(each, size, tile) for each in regions]
    groups: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)  # by prompt and lengths
    texts: list[list[Tensor]] = []
    for item, caption in enumerate(captions):
        prompt = item * len(regions) // len(captions)
        every = [caption, *(region.caption[item % len(region.caption)] for region in regions[prompt])]
        texts.append([every[index] for index in heard[prompt].captions])
        key = (prompt, *(token_count(len(text)) for text in texts[-1]))
        groups[key].append(item)
    parts: dict[int, tuple[Part, int]] = {}  # by item: the part, and its place there
    for (prompt, *lengths), items in groups.items():
        alone: list[Condition] = []
        for index, slot in zip(heard[prompt].captions, zip(*(texts[item] for item in items), strict=True), strict=True):
            only_for(regions, regions[prompt][index - 1] if index else None)
            alone.append(network.prepare(slot, latent_size, grid=grid, run=run))
        condition = side_by_side(network, alone, grid)
        n_image = condition.image_rope.shape[1]
        bias = None if heard[prompt].is_plain else region_bias(lengths, heard[prompt].weights, n_image)
        shares = shares_of(regions[prompt], heard[prompt].captions, lengths, size, tile, n_image)
        part = Part(condition, bias, lengths, shares)
        parts |= {item: (part, place) for place, item in enumerate(items)}
    ordered = [parts[item] for item in range(len(captions))]
    longest = [max(part.lengths) for part, _ in ordered]
    shares = placed_shares([(part.shares, part.n_text) for part, _ in ordered], ordered[0][0].condition.caption)
    if len(groups) == 1:
        part, _ = ordered[0]
        return Regional(part.condition, _channels(network, part.bias, part.condition), None, longest, shares)
    return Regional(*_joined(network, ordered), longest, shares)


def _joined(network: S3DiT, items: Sequence[tuple[Part, int]]) -> tuple[Condition, BiasChannels | None, Tensor | None]:
    """Items of several parts as one batch: shorter texts are filled, and a mask hides the fill."""
    counts = [part.n_text for part, _ in items]
    longest = max(counts)
    condition = stacked([filled(part.condition, place, longest) for part, place in items])
    rank = max(0 if part.bias is None else part.bias.query.shape[-1] for part, _ in items)
    filled_items = [filled_bias(_bias_of(part), part.n_text, longest, rank) for part, _ in items]
    bias = RegionBias(*(torch.cat(factors) for factors in zip(*filled_items, strict=True))) if rank else None
    return condition, _channels(network, bias, condition), hidden_fill(counts, condition)


def _bias_of(part: Part) -> RegionBias:
    """A part's bias; none has no columns."""
    n_joint = part.condition.joint_rope.shape[1]
    return part.bias or RegionBias(*torch.zeros(2, 1, n_joint, 0))


def _channels(network: S3DiT, bias: RegionBias | None, condition: Condition) -> BiasChannels | None:
    return None if bias is None else bias_channels(bias, network.config.head_dim, condition.caption)
