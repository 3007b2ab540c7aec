"""Two columns of numbers about the same prompts and seeds: is their difference real."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .paired import REAL, Difference, compare_runs
from .totals import MEAN, Array


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Numbers of the same pictures in two columns, without those that either column could not measure."""

    one: tuple[float, ...]
    other: tuple[float, ...]
    difference: Difference
    higher_is_better: bool

    @property
    def means(self) -> tuple[float, float]:
        """Of both columns."""
        return float(np.mean(self.one)), float(np.mean(self.other))

    @property
    def verdict(self) -> str:
        """Which column is better, if the difference is real."""
        if self.difference.is_real:
            return "B is better" if (self.difference.difference.value > 0) == self.higher_is_better else "A is better"
        if self.least_p >= REAL:
            return "too few pairs to tell a difference from chance; draw more seeds or prompts"
        return "no real difference"

    @property
    def least_p(self) -> float:
        """What p is where all pairs differ in one direction."""
        return 2.0 ** (1 - len(self.one))


def paired(one: Sequence[float | None], other: Sequence[float | None], *, higher_is_better: bool) -> Pairs:
    """Compare two columns picture by picture; ValueError where no picture has a number in both."""
    known = [(a, b) for a, b in zip(one, other, strict=True) if a is not None and b is not None]
    if not known:
        raise ValueError("no picture has a number in both columns")
    first, second = (tuple(column) for column in zip(*known, strict=True))
    return Pairs(
        one=first,
        other=second,
        difference=compare_runs(first, second, (_terms(first), _terms(second)), MEAN),
        higher_is_better=higher_is_better,
    )


def _terms(values: Sequence[float]) -> Array:
    """What makes the mean: each value, counted once."""
    return np.array([(value, 1.0) for value in values], dtype=np.float64)
