"""What a run prepares of prompts with regions: captions side by side, and what each part of the picture hears of them.

Letters: b batch, n m tokens, f width of the text embeddings, k captions, p image tokens.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
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
from ....zimage_core.model.target_context import (
    ReferencePrompt,
    TargetContext,
    contexts_side_by_side,
    target_context,
)
from .region_loras import PlacedShares, only_for, placed_shares, shares_of
from .regional_conditions import RunRegions, heard_captions
from .tiles import Tile
from .unequal_prompts import filled, hidden_fill, stacked, token_count

Slot = tuple[Sequence[Tensor], Callable[[], None]]  # a caption of every item; what lets the LoRAs of it alone act


class Regional(NamedTuple):
    """A condition, the bias of its joint sequence, and the mask that hides fill, where prompts differ."""

    condition: Condition
    bias: BiasChannels | None
    mask: Tensor | None  # (b, 1, m, m)
    image_at: list[float]  # where the picture of every item lies on the sequence axis
    shares: PlacedShares  # of the LoRAs of regions


class Part(NamedTuple):
    """Items of a batch that are prepared together."""

    condition: Condition
    bias: RegionBias | None
    image_at: Sequence[float]  # of every item
    shares: Mapping[TokenLora, Tensor]  # (m,) of every LoRA of its regions

    @property
    def n_text(self) -> int:
        """Tokens of an item before the picture's: its references' and its captions'."""
        return self.condition.image_start


def prepare_regional(
    network: S3DiT,
    captions: Sequence[Tensor],
    regions: Sequence[RunRegions],
    latent_size: tuple[int, int],
    *,
    tile: Tile | None,
    grid: Grid,
    run: RunBlock,
    references: ReferencePrompt | None = None,
) -> Regional:
    """Captions (n, f) of b items and the regions of every prompt among them, whose items follow one another.

    A latent (H, W) that is a tile hears what its part of the whole picture does. With references there is one prompt.
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
    prepare = partial(_side_by_side, network, references, latent_size, grid, run)
    parts: dict[int, tuple[Part, int]] = {}  # by item: the part, and its place there
    for (prompt, *_), items in groups.items():
        slots: list[Slot] = []
        for index, slot in zip(heard[prompt].captions, zip(*(texts[item] for item in items), strict=True), strict=True):
            slots.append((slot, partial(only_for, regions, regions[prompt][index - 1] if index else None)))
        condition, lengths, image_at = prepare(slots)
        n_image = condition.joint_rope.shape[1] - condition.image_start
        weights = heard[prompt].weights
        bias = None if heard[prompt].is_plain else region_bias(lengths, weights, n_image, condition.n_clean)
        shares = shares_of(regions[prompt], heard[prompt].captions, lengths, size, tile, condition)
        part = Part(condition, bias, image_at, shares)
        parts |= {item: (part, place) for place, item in enumerate(items)}
    ordered = [parts[item] for item in range(len(captions))]
    image_at = [part.image_at[place] for part, place in ordered]
    shares = placed_shares([(part.shares, part.n_text) for part, _ in ordered], ordered[0][0].condition.caption)
    if len(groups) == 1:
        part, _ = ordered[0]
        return Regional(part.condition, _channels(network, part.bias, part.condition), None, image_at, shares)
    return Regional(*_joined(network, ordered), image_at, shares)


def _side_by_side(
    network: S3DiT,
    references: ReferencePrompt | None,
    latent_size: tuple[int, int],
    grid: Grid,
    run: RunBlock,
    slots: Sequence[Slot],
) -> tuple[Condition, list[int], list[float]]:
    """Captions refined one by one before one picture; the tokens of each, and where the picture of every item lies."""
    if references is None:
        alone: list[Condition] = []
        for captions, choose_loras in slots:
            choose_loras()
            alone.append(network.prepare(captions, latent_size, grid=grid, run=run))
        lengths = [each.caption.shape[1] for each in alone]
        return side_by_side(network, alone, grid), lengths, [1.0 + max(lengths)] * len(slots[0][0])
    contexts: list[TargetContext] = []
    for captions, choose_loras in slots:
        choose_loras()
        contexts.append(target_context(network, references, captions, latent_size, grid=grid, run=run))
    joined = contexts_side_by_side(network, contexts)
    return joined.condition, [each.condition.caption.shape[1] for each in contexts], joined.image_at


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
