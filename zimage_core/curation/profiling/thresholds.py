"""Thresholds that the data's own distribution proposes; nobody applies them but the person who reads them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine import parquet
from .columns import BOTH, HIGH, LOW, MEASURED, Column

FENCE = 3.0  # interquartile ranges beyond the quartiles: Tukey's outer fence
LEAST = 8  # values, below which nothing is proposed
MOST = 0.1  # of the values beyond a limit; more of them are a kind of picture, not a fault


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A limit of a column and how many pictures are beyond it."""

    column: str
    side: str  # "low": values below the limit are suspicious; "high": those above
    limit: float
    count: int
    of: int  # pictures with a number


def proposals(files: Sequence[Path], learned: Sequence[Column] = ()) -> list[Proposal]:
    """Of all columns of a profile; one column, 8 bytes a picture, is in memory at a time."""
    return proposed(lambda name: column_of(files, name), learned)


def proposals_of_rows(rows: Sequence[Mapping[str, Any]], learned: Sequence[Column] = ()) -> list[Proposal]:
    """The same of rows in memory."""
    return proposed(lambda name: finite([row[name] for row in rows if row.get(name) is not None]), learned)


def proposed(values_of: Callable[[str], NDArray[np.float64]], learned: Sequence[Column]) -> list[Proposal]:
    """Of all columns with a faulty side, by what tells the values of one."""
    found: list[Proposal] = []
    for column in (*MEASURED, *(each for each in learned if each.faulty)):
        values = values_of(column.name)
        for side in sides(column):
            limit = propose(column.name, values, side, by_factors=column.by_factors, least_reach=column.least_reach)
            found += [limit] if limit else []
    return found


def sides(column: Column) -> Sequence[str]:
    """At which ends it is looked at."""
    return (LOW, HIGH) if column.faulty == BOTH else (column.faulty,)


def propose(
    name: str, values: NDArray[np.float64], side: str, *, by_factors: bool = True, least_reach: float = 0.0
) -> Proposal | None:
    """Tukey's outer fence, of the logarithms `by_factors` where values are positive.

    Up to a tenth of the values may be 0, which is below any fence: an even surface has no sharpness at all. None where
    nothing is beyond it, or more than a tenth. The limit lies halfway between the last value inside and the first
    beyond, so that rounding it moves no picture across.
    """
    if len(values) < LEAST:
        return None
    is_positive = values > 0
    if by_factors and values.min() >= 0 and is_positive.mean() >= 1 - MOST:
        scale = np.where(is_positive, np.log(values, where=is_positive, out=np.zeros_like(values)), -np.inf)
    else:
        scale = values
    first, third = np.percentile(scale, (25, 75))
    reach = max(FENCE * (third - first), least_reach)
    is_beyond = scale < first - reach if side == LOW else scale > third + reach
    if not 0 < is_beyond.mean() <= MOST:
        return None
    inside, beyond = values[~is_beyond], values[is_beyond]
    edges = (beyond.max(), inside.min()) if side == LOW else (inside.max(), beyond.min())
    limit = float(np.mean(edges))
    return Proposal(column=name, side=side, limit=limit, count=len(beyond), of=len(values))


def column_of(files: Sequence[Path], name: str) -> NDArray[np.float64]:
    """The finite values of a column."""
    tables = (parquet().read_table(file, columns=[name]) for file in files)
    parts = [np.asarray(table[name].drop_null().to_numpy(), dtype=np.float64) for table in tables]
    return finite(np.concatenate(parts) if parts else [])


def finite(values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Without infinities and what is no number."""
    array = np.asarray(values, np.float64)
    return array[np.isfinite(array)]
