"""Is the difference of two runs on the same cases real: McNemar's exact test, or signs flipped at random.

Letters: c cases, f flips.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

from .intervals import Interval, quantiles, resampled
from .totals import Array, Totals

FLIPS = 20000
AT_ONCE = 512  # flips at once: of 2,000 cases they take 8 MB
ALL_SIGNS = 14  # cases that differ up to which every combination of signs is counted
REAL = 0.05  # a p below this


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How much larger the second run's total is, and how likely so much is by chance."""

    difference: Interval
    p: float
    method: str

    @property
    def is_real(self) -> bool:
        """Whether chance alone would rarely differ as much."""
        return self.p < REAL


def compare_runs(
    one: Sequence[float], other: Sequence[float], terms: tuple[Array, Array], totals: Totals
) -> Difference:
    """Two runs on the same cases: `one` and `other` are numbers of each case, `terms` (c, k) what makes the totals."""
    first, second = terms
    if not len(one) == len(other) == len(first) == len(second):
        raise ValueError(f"{len(one)} and {len(other)} cases cannot be compared in pairs: they must be the same")
    if not len(one):
        raise ValueError("the two runs have no measured case in common")
    value = float(totals.total(second.sum(0)) - totals.total(first.sum(0)))
    low, high = quantiles(resampled(second, totals, seed=0) - resampled(first, totals, seed=0))
    gap = Interval(value=value, low=low, high=high, method=f"bootstrap of {len(one)} prompts in pairs, seed 0")
    if set(one) | set(other) <= {0.0, 1.0}:
        better = sum(b > a for a, b in zip(one, other, strict=True))
        worse = sum(b < a for a, b in zip(one, other, strict=True))
        return Difference(difference=gap, p=mcnemar(better, worse), method=f"McNemar, {better} better, {worse} worse")
    return Difference(difference=gap, p=sign_flips(np.subtract(other, one)), method="signs flipped at random")


def mcnemar(better: int, worse: int) -> float:
    """Two-sided p of McNemar's exact test: of the cases that changed, each might have gone either way."""
    n, fewer = better + worse, min(better, worse)
    return min(1.0, 2 * sum(comb(n, k) for k in range(fewer + 1)) / 2**n)


def sign_flips(differences: Array, seed: int = 0) -> float:
    """Two-sided p of the mean difference, were the sign of each case's difference a coin's throw.

    Exact where few cases differ; else the observed signs count as one of the random ones, so that p is never 0.
    """
    moved = differences[differences != 0]
    observed = abs(moved.sum()) * (1 - 1e-12)  # ties with the observed sum count, however they are rounded
    if len(moved) <= ALL_SIGNS:
        signs = 1 - 2 * ((np.arange(2 ** len(moved))[:, None] >> np.arange(len(moved))) & 1)  # (f, c)
        return float((np.abs(signs @ moved) >= observed).mean())
    rng = np.random.default_rng(seed)
    extreme = 0
    for first in range(0, FLIPS, AT_ONCE):
        signs = rng.choice((-1.0, 1.0), size=(min(AT_ONCE, FLIPS - first), len(moved)))  # (f, c)
        extreme += int((np.abs(signs @ moved) >= observed).sum())
    return (extreme + 1) / (FLIPS + 1)
