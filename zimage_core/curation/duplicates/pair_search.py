"""Pairs of a cell: near by their vectors, and the same by their looks. One cell is one partition of the search."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine import arrow
from .aligned import differences
from .cells import centres_of, members, nearest_cells
from .neighbours import Pairs, neighbours
from .scratch import Pictures

BLOCK = 1024  # pairs whose looks are in memory: 25 MB


Follow = Callable[[range], Iterable[int]]  # the same numbers, perhaps with progress


@dataclass(frozen=True, kw_only=True)
class CopyTest:
    """When two pictures are copies."""

    least_cosine: float  # of their vectors
    most_difference: float | None  # percent, of their aligned looks; None believes the vectors alone


@dataclass(frozen=True)
class PairSearch:
    """Searches among one picture of each set with the same pixels."""

    scratch: Pictures
    chosen: NDArray[np.int64]  # numbers of the pictures that are searched, ascending
    cells: list[NDArray[np.int64]]  # of each cell, places in `chosen`
    neighbours: int
    test: CopyTest

    def __call__(self, cell: int) -> Any:
        """The cell's pairs of copies as a table of two numbers and a cosine."""
        return arrow().table(self.copies_in(cell)._asdict())

    def copies_in(self, cell: int, follow: Follow = iter) -> Pairs:
        """The cell's pairs of copies; `follow` goes through blocks of pairs whose looks are compared."""
        places = self.chosen[self.cells[cell]]
        found = neighbours(self.scratch.vectors()[places], self.neighbours, self.test.least_cosine)
        pairs = Pairs(places[found.one], places[found.other], found.cosine)
        return copies_among(self.scratch, pairs, self.test, follow)


def looked_at(scratch: Pictures, pairs: Pairs, follow: Follow = iter) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The differences of pairs' looks; the smaller number is always the one that stays in place."""
    looks, found, mirrored = scratch.looks(), [np.empty(0, np.float32)], [np.empty(0, bool)]
    for first in follow(range(0, len(pairs.one), BLOCK)):
        here = slice(first, first + BLOCK)
        one, other = pairs.one[here], pairs.other[here]
        block = differences(looks[np.minimum(one, other)], looks[np.maximum(one, other)])
        found.append(block[0])
        mirrored.append(block[1])
    return np.concatenate(found), np.concatenate(mirrored)


def copies_among(scratch: Pictures, pairs: Pairs, test: CopyTest, follow: Follow = iter) -> Pairs:
    """Those pairs that pass the test."""
    is_copy = pairs.cosine >= test.least_cosine
    if test.most_difference is not None:
        is_copy[is_copy] = looked_at(scratch, pairs.those(is_copy), follow)[0] <= test.most_difference
    return pairs.those(is_copy)


def search_of(scratch: Pictures, neighbours: int, test: CopyTest, seed: int) -> PairSearch:
    """The search of one picture of each set with the same pixels, in cells that overlap."""
    chosen = firsts_of(scratch)
    vectors = scratch.vectors()
    centres = centres_of(vectors, chosen, seed)
    cells = members(nearest_cells(vectors, chosen, centres), len(centres))
    return PairSearch(scratch, chosen, cells, neighbours, test)


def firsts_of(scratch: Pictures) -> NDArray[np.int64]:
    """Of each set of pictures with the same pixels the best, the first of equals; ascending."""
    order = np.lexsort((np.arange(len(scratch.quality)), -scratch.quality))
    order = order[scratch.has_vector[order]]
    return np.sort(order[np.unique(scratch.pixels[order], return_index=True)[1]])
