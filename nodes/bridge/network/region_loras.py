"""LoRAs of regions in one network call: beside the layers while it lasts, with the share of every token.

Letters: b batch, m tokens of the joint sequence.
"""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ....zimage_core.adapters import Injection, TokenLora
from ....zimage_core.adapters.token_lora import filled_shares, joint_shares
from ....zimage_core.model import Condition
from .regional_conditions import Region, RunRegions, active_regions, region_coverage
from .tiles import Tile

LORAS_OF_RUN = "zimage_region_loras"  # attribute of a run's noise


class Placed(NamedTuple):
    """The share of a LoRA in the sequence of one call."""

    joint: Tensor  # (b, m)
    mean: float  # of the picture's tokens, for tokens that have no place in it


PlacedShares = Mapping[TokenLora, Placed]


@dataclass(eq=False)
class LorasOfRun:
    """The regions with LoRAs of a run's positive prompts, and whether others asked for them."""

    regions: RunRegions = ()
    was_asked: bool = False


def with_loras_of_run(regions: RunRegions, noise: Tensor, prompt_type: str | None) -> RunRegions:
    """The regions of a prompt, or, of another prompt than the positive without any, the LoRAs of that one's, unheard.

    Guidance compares two predictions: a LoRA in one of them alone would count as often as CFG says. All prompts of a
    run get the same noise, and ComfyUI prepares the positive ones first.
    """
    known: LorasOfRun = getattr(noise, LORAS_OF_RUN, None) or LorasOfRun()
    setattr(noise, LORAS_OF_RUN, known)
    if prompt_type == "positive":
        earlier = () if known.was_asked else known.regions  # asked: of the noise's former run
        known.regions = (*earlier, *(each for each in regions if each.running_lora is not None))
        known.was_asked = False
        return regions
    known.was_asked = True
    return regions or tuple(replace(each, strength=0.0, outside=0.0, global_weight=1.0) for each in known.regions)


@contextmanager
def loras_of(regions: Sequence[RunRegions], network: nn.Module) -> Generator[None]:
    """A network with the LoRAs of regions beside its layers, for the length of a `with` block."""
    loras = list(dict.fromkeys(running(regions)))
    if not loras:
        yield
        return
    injection = Injection()
    try:
        for lora in loras:
            lora.add_to(injection, network)
        yield
    finally:
        injection.eject()


def with_region_loras(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A network's `forward(self, x, timesteps, …)` that gets of its `regions` those that act now, with their LoRAs."""

    @wraps(forward)
    def run(
        self: nn.Module,
        x: Tensor,
        timesteps: Tensor,
        *args: Any,
        regions: Sequence[RunRegions] = (),
        **kwargs: Any,
    ) -> Tensor:
        active = active_regions(regions, timesteps)
        with loras_of(active, self):
            return forward(self, x, timesteps, *args, regions=active, **kwargs)

    return run


def running(regions: Iterable[RunRegions]) -> Generator[TokenLora]:
    """The LoRAs of every prompt's regions."""
    for each in regions:
        yield from (region.running_lora for region in each if region.running_lora is not None)


def only_for(regions: Iterable[RunRegions], owner: Region | None) -> None:
    """Let the LoRA of one region, or none, act on the caption that is refined next."""
    for lora in running(regions):
        lora.share.set_alike(float(owner is not None and lora is owner.running_lora))


def shares_of(
    regions: RunRegions,
    captions: Sequence[int],
    lengths: Sequence[int],
    size: tuple[int, int],
    tile: Tile | None,
    condition: Condition,
) -> dict[TokenLora, Tensor]:
    """The shares (m,) of every LoRA of a prompt, of whose captions these numbers are heard (0 is the whole prompt)."""
    n_picture = condition.joint_rope.shape[1] - condition.image_start
    return {
        region.running_lora: joint_shares(
            lengths,
            lambda slot, own=number: captions[slot] == own,
            region_coverage(region.area, size, tile),
            n_picture,
            condition.n_clean,
        )
        for number, region in enumerate(regions, 1)
        if region.running_lora is not None
    }


def placed_shares(items: Sequence[tuple[Mapping[TokenLora, Tensor], int]], like: Tensor) -> PlacedShares:
    """The shares of a batch from those of every item and its tokens before the image; others' LoRAs count 0."""
    longest = max(n_text for _, n_text in items)
    found: dict[TokenLora, Placed] = {}
    for lora in dict.fromkeys(lora for shares, _ in items for lora in shares):
        rows = [filled_shares(shares[lora], n, longest) if lora in shares else None for shares, n in items]
        length = next(len(row) for row in rows if row is not None)
        joint = torch.stack([torch.zeros(length) if row is None else row for row in rows])
        found[lora] = Placed(joint.to(like), float(joint[:, longest:].mean()))
    return found


def everywhere(shares: PlacedShares) -> None:
    """Let each LoRA act alike on all tokens, as on those of a negative prompt that has no place."""
    for lora, placed in shares.items():
        lora.share.set_alike(placed.mean)


def place(shares: PlacedShares, condition: Condition) -> None:
    """Let each LoRA act on the joint sequence of a condition."""
    images = slice(condition.n_clean - condition.n_clean_images, condition.n_clean)
    for lora, placed in shares.items():
        lora.share.place(placed.joint, condition.image_start, images)
