"""Which strength of a LoRA brings the most before pictures burn.

Burning is how far a picture's saturation, contrast and fine detail are from those of the same prompt and seed without
the LoRA, in doublings: the length of the vector of three base-2 logarithms. Over-strong LoRAs push all three up, or
wash them out; 0 is no change, 1 a doubling (or halving) of one of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..scoring.statistics import contrast, saturation, sharpness
from ..scoring.statistics.light import Levels

SMALLEST = (0.05, 0.05, 4.0)  # added to saturation, contrast and detail (levels), so that grey or flat pictures count


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One strength: what it brings and how burnt its pictures are, as means over prompts and seeds."""

    strength: float
    identity: float  # larger is more of what the LoRA is to bring
    burning: float
    factors: tuple[float, float, float]  # of saturation, contrast and detail, as geometric means


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The strength to take and why in a sentence."""

    strength: float
    why: str


def chosen(tried: Sequence[Tried], limit: float) -> Choice:
    """Of strengths 0 and up in rising order, the one that brings the most below the first that burns.

    Of equals the lowest; 0 where nothing brings more than no LoRA.
    """
    burnt = next((each for each in tried if each.strength > 0 and each.burning > limit), None)
    free = [each for each in tried if burnt is None or each.strength < burnt.strength]
    best = max(free, key=lambda each: (each.identity, -each.strength))
    if burnt is not None and len(free) == 1:
        return Choice(strength=0.0, why=f"even {burnt.strength:g} burns; try lower strengths")
    if best.strength == 0:
        return Choice(strength=0.0, why="no strength brings more than no LoRA")
    if burnt is not None:
        return Choice(strength=best.strength, why=f"it brings the most before pictures burn at {burnt.strength:g}")
    if best is tried[-1]:
        return Choice(strength=best.strength, why="it brings the most, and none burns; higher ones may bring more")
    return Choice(strength=best.strength, why="it brings the most, and none burns")


def look(levels: Levels) -> NDArray[np.float64]:
    """Saturation, contrast and fine detail of a picture (h w 3) in levels 0-255, as base-2 logarithms (3)."""
    values = np.array([saturation(levels), contrast(levels), np.sqrt(sharpness(levels))])
    return np.log2(values + np.array(SMALLEST))


def burning(looks: NDArray[np.float64], plain: NDArray[np.float64]) -> tuple[float, tuple[float, float, float]]:
    """How burnt pictures are beside those without the LoRA, from the looks (m 3) of both; and the three factors."""
    change = looks - plain
    saturation_factor, contrast_factor, detail_factor = (2.0 ** change.mean(0)).tolist()
    distance = float(np.linalg.norm(change, axis=-1).mean())
    return distance, (saturation_factor, contrast_factor, detail_factor)
