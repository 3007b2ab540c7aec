"""How the numbers of pictures become one number: sums over cases, and a function of the sums.

Written like this, a resample of the cases is a product with how often each is drawn, so an interval costs little.
Letters: c cases, k terms of one case, r resamples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..scoring.score import Measurement

Array = NDArray[np.float64]


@runtime_checkable
class Totals(Protocol):
    """One number of many measurements; those without a value are left out, not counted as zero."""

    def terms(self, measured: Sequence[Measurement], group: str) -> list[float]:
        """What the pictures of one case add to the sums."""
        ...

    def total(self, sums: Array) -> Array:
        """The number (...) of sums (..., k); NaN where nothing was measured."""
        ...


@dataclass(frozen=True, kw_only=True)
class Mean:
    """The mean over pictures."""

    def terms(self, measured: Sequence[Measurement], group: str) -> list[float]:
        """The sum of the values, and how many there are."""
        values = [each.value for each in measured if each.value is not None]
        return [float(sum(values)), float(len(values))]

    def total(self, sums: Array) -> Array:
        """The sum of the values by their number."""
        return ratio(sums[..., 0], sums[..., 1])


@dataclass(frozen=True, kw_only=True)
class MeanOfPrompts:
    """The mean over prompts of the means of their pictures, however many each has."""

    def terms(self, measured: Sequence[Measurement], group: str) -> list[float]:
        """The mean of the values, and one for the prompt."""
        total, n = MEAN.terms(measured, group)
        return [total / n, 1.0] if n else [0.0, 0.0]

    def total(self, sums: Array) -> Array:
        """The sum of the means by the number of prompts."""
        return ratio(sums[..., 0], sums[..., 1])


@dataclass(frozen=True, kw_only=True)
class Pooled:
    """A ratio of two parts that are each summed over all pictures: words found by words asked for."""

    found: str
    asked: str

    def terms(self, measured: Sequence[Measurement], group: str) -> list[float]:
        """The sums of both parts."""
        read = [each for each in measured if each.value is not None]
        return [float(sum(each.parts[name] for each in read)) for name in (self.found, self.asked)]

    def total(self, sums: Array) -> Array:
        """The parts found by the parts asked for."""
        return ratio(sums[..., 0], sums[..., 1])


@dataclass(frozen=True, kw_only=True)
class MeanOfGroups:
    """The mean of the means of the groups, however many pictures each has; groups without a picture are left out."""

    groups: tuple[str, ...]

    def terms(self, measured: Sequence[Measurement], group: str) -> list[float]:
        """Sum and number of the values, in the columns of the group."""
        if group not in self.groups:
            raise ValueError(f"there is no group {group!r}: a case is in one of {', '.join(self.groups)}")
        pair = MEAN.terms(measured, group)
        return [term for name in self.groups for term in (pair if name == group else (0.0, 0.0))]

    def total(self, sums: Array) -> Array:
        """The mean of the groups' means."""
        means = ratio(sums[..., 0::2], sums[..., 1::2])
        known = ~np.isnan(means)
        return ratio(np.where(known, means, 0.0).sum(-1), known.sum(-1))


MEAN = Mean()


def ratio(found: ArrayLike, asked: ArrayLike) -> Array:
    """A quotient, NaN where nothing was asked for."""
    above, below = np.asarray(found, np.float64), np.asarray(asked, np.float64)
    return np.divide(above, below, out=np.full(np.broadcast(above, below).shape, np.nan), where=below != 0)
