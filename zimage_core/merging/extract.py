"""A merge as a LoRA over its base: the difference's matrices in a few singular directions, all else in full."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..adapters import Delta, FullDifference, Lora, Target
from .low_rank import approximate
from .opened import OpenedMerge


@dataclass(frozen=True)
class Extracted:
    """A LoRA and the share of the difference that it holds, as a share of the sum of squares."""

    lora: Lora
    share: float


def extracted(opened: OpenedMerge, rank: int, file: str, advance: Callable[[str], None]) -> Extracted:
    """The LoRA of a rank nearest to a merge's difference from its base; `advance` as in `write_merged_model`.

    A fused `qkv` is one matrix. Norms, biases and pads are held in full, since they are small. Raises ValueError if
    nothing differs.
    """
    deltas: dict[Target, Delta] = {}
    whole = missing = 0.0
    for name in opened.shapes:
        advance(name)
        difference = opened.difference(name)
        if difference is None or not difference.any():
            continue
        if not difference.isfinite().all():
            raise ValueError(f"the difference from the base is not finite in {name}; use another file")
        delta, left = _held(difference.float(), rank)
        deltas[Target(name)] = delta
        whole += float(difference.square().sum())
        missing += left
    if not deltas:
        raise ValueError("nothing differs from the base, so there is no LoRA to extract: check files and weights")
    return Extracted(Lora(file=file, family="ComfyUI", deltas=deltas), 1 - missing / whole)


def _held(difference: Tensor, rank: int) -> tuple[Delta, float]:
    """What holds a difference, and the sum of squares of what it lacks."""
    if difference.ndim != 2 or rank >= min(difference.shape):
        return FullDifference(diff=difference), 0.0
    delta = approximate(difference, rank)
    return delta, float((difference - delta.matrix()).square().sum(dtype=torch.float64))
