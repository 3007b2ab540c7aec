"""Intervals around a number: Wilson's for a rate, the bootstrap for everything else.

Pictures of one prompt are alike, so it is prompts that are drawn again, with all their pictures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np

from .totals import MEAN, Array, Totals

LEVEL = 0.95
RESAMPLES = 2000
LEAST_CASES = 3  # fewer cannot tell how much they vary
AT_ONCE = 32  # resamples: their counts of 2,000 cases take 0.5 MB


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A number and the 95 % interval around it; NaN where there is none."""

    value: float
    low: float
    high: float
    method: str


def wilson(right: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's score interval (1927) of `right` successes in n trials."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    rate, spread = right / n, z * z / n
    middle, half = rate + spread / 2, z * sqrt(rate * (1 - rate) / n + spread / n / 4)
    return max(0.0, (middle - half) / (1 + spread)), min(1.0, (middle + half) / (1 + spread))


def interval(values: Sequence[float], terms: Array, totals: Totals, seed: int = 0) -> Interval:
    """The interval of a total: Wilson's where each case is one yes or no, else that of resampled cases.

    `values` are those of the pictures, `terms` (c, k) those of the cases.
    """
    if not len(values):
        return Interval(value=float("nan"), low=float("nan"), high=float("nan"), method="nothing was measured")
    value = float(totals.total(terms.sum(0)))
    if totals == MEAN and len(values) == len(terms) and set(values) <= {0.0, 1.0}:
        low, high = wilson(round(sum(values)), len(values))
        return Interval(value=value, low=low, high=high, method="Wilson")
    if len(terms) < LEAST_CASES:
        return Interval(value=value, low=float("nan"), high=float("nan"), method=f"none below {LEAST_CASES} prompts")
    low, high = quantiles(resampled(terms, totals, seed))
    return Interval(value=value, low=low, high=high, method=f"bootstrap of {len(terms)} prompts, seed {seed}")


def resampled(terms: Array, totals: Totals, seed: int, n: int = RESAMPLES) -> Array:
    """Totals (r) of as many cases, drawn with replacement; the same cases for the same seed, whatever the terms."""
    rng = np.random.default_rng(seed)
    n_cases = len(terms)
    chances = np.full(n_cases, 1 / n_cases)
    found: list[Array] = []
    for first in range(0, n, AT_ONCE):
        counts = rng.multinomial(n_cases, chances, size=min(AT_ONCE, n - first))  # (r, c)
        found.append(totals.total(counts @ terms))
    return np.concatenate(found)


def quantiles(found: Array, level: float = LEVEL) -> tuple[float, float]:
    """The bounds between which `level` of the resamples lie; those without a number are left out."""
    known = found[~np.isnan(found)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
