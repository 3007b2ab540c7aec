"""Pairs become groups, and each picture gets its keeper with what separates the two."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..engine import parquet
from .keepers import kept_of
from .neighbours import Pairs, once
from .pair_search import PairSearch, copies_among, looked_at
from .scratch import Pictures


@dataclass(frozen=True, kw_only=True)
class Grouped:
    """For each picture of an embedding; its own number and zeros for one that is kept."""

    keeper: NDArray[np.int64]
    distance: NDArray[np.float64]  # 1 - cosine
    difference: NDArray[np.float32]  # percent between the aligned looks
    mirrored: NDArray[np.bool_]
    exact: NDArray[np.bool_]  # the same pixels as its keeper


def read_pairs(file: Path) -> Pairs:
    """The pairs of all cells, each once; of two cells that both found one, the first counts."""
    table = parquet().read_table(file, columns=["one", "other", "cosine"])
    return once(Pairs(*(np.asarray(table[name]) for name in ("one", "other", "cosine"))))


def group(search: PairSearch, groups: NDArray[np.int64]) -> Grouped:
    """The keeper of each picture: first among those searched, by their groups, then of those with the same pixels."""
    scratch = search.scratch
    count = len(scratch.quality)
    keeper = kept_of(groups, scratch.quality, lambda best, others: are_copies(search, best, others))
    first = first_of_same_pixels(scratch, search.chosen)
    keeper = keeper[first]
    dropped = np.flatnonzero(keeper != np.arange(count))
    difference, mirrored = np.zeros(count, np.float32), np.zeros(count, bool)
    difference[dropped], mirrored[dropped] = looked_at(scratch, as_pairs(dropped, keeper[dropped], scratch))
    distance, exact = np.zeros(count), np.zeros(count, bool)
    distance[dropped] = 1 - as_pairs(dropped, keeper[dropped], scratch).cosine.astype(np.float64)
    exact[dropped] = scratch.pixels[dropped] == scratch.pixels[keeper[dropped]]
    mirrored[exact] = False
    return Grouped(
        keeper=keeper, distance=np.maximum(distance, 0), difference=difference, mirrored=mirrored, exact=exact
    )


def are_copies(search: PairSearch, best: int, others: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of a group are copies of one of them, by the same test that made the pairs."""
    pairs = as_pairs(np.full(len(others), best), others, search.scratch)
    return np.isin(others, copies_among(search.scratch, pairs, search.test).other)


def as_pairs(one: NDArray[np.int64], other: NDArray[np.int64], scratch: Pictures) -> Pairs:
    """Given pairs with their cosines, in blocks."""
    vectors, cosines = scratch.vectors(), [np.empty(0, np.float32)]
    for first in range(0, len(one), 4096):
        here = slice(first, first + 4096)
        cosines.append(np.einsum("nc,nc->n", vectors[one[here]], vectors[other[here]]))
    return Pairs(one, other, np.concatenate(cosines))


def first_of_same_pixels(scratch: Pictures, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each picture the one with the same pixels that was searched; itself without a vector."""
    first = np.arange(len(scratch.quality))
    order = np.argsort(scratch.pixels[chosen])
    known = np.flatnonzero(scratch.has_vector)
    places = np.searchsorted(scratch.pixels[chosen], scratch.pixels[known], sorter=order)
    first[known] = chosen[order[places]]
    return first
