"""Pairs of vectors whose cosine is at least a number, at most k for each: exact in blocks, or by USearch's index."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..engine.libraries import neighbour_index
from .cells import Vectors

BLOCK = 1024  # rows of cosines in memory
MOST_EXACT = 20_000  # vectors, beyond which a graph is faster than all pairs


class Pairs(NamedTuple):
    """Numbers of vectors and their cosines; each pair once, the smaller number first."""

    one: NDArray[np.int64]
    other: NDArray[np.int64]
    cosine: NDArray[np.float32]

    def those(self, chosen: NDArray[np.bool_]) -> "Pairs":
        """Some of them."""
        return Pairs(self.one[chosen], self.other[chosen], self.cosine[chosen])


def neighbours(vectors: Vectors, k: int, least: float) -> Pairs:
    """By whichever search suits their number."""
    return exact(vectors, vectors, k, least) if len(vectors) <= MOST_EXACT else approximate(vectors, k, least)


def exact(queries: Vectors, vectors: Vectors, k: int, least: float, first: int = 0) -> Pairs:
    """All pairs by matrix products; `queries` are vectors of their own, from number `first` on."""
    found: list[Pairs] = []
    for start in range(0, len(queries), BLOCK):
        cosines = queries[start : start + BLOCK] @ vectors.T
        here = np.arange(len(cosines)) + start
        cosines[here - start, here + first] = -2  # no vector is its own neighbour
        if k < cosines.shape[1]:
            limit = -np.partition(-cosines, k - 1, axis=1)[:, k - 1 : k]
            rows, columns = np.nonzero((cosines >= least) & (cosines >= limit))
        else:
            rows, columns = np.nonzero(cosines >= least)
        found.append(Pairs(rows + start + first, columns, cosines[rows, columns]))
    return once(joined(found))


def approximate(vectors: Vectors, k: int, least: float) -> Pairs:
    """By a graph of near neighbours (HNSW), which may miss some."""
    library = neighbour_index()
    index = library.Index(ndim=vectors.shape[1], metric="ip", dtype="f32", connectivity=24)
    index.add(np.arange(len(vectors)), vectors)
    matches = index.search(vectors, k + 1)
    others, cosines = np.asarray(matches.keys, np.int64), 1 - np.asarray(matches.distances, np.float32)
    rows = np.repeat(np.arange(len(vectors)), others.shape[1])
    is_near = (cosines.ravel() >= least) & (others.ravel() != rows)
    return once(Pairs(rows[is_near], others.ravel()[is_near], cosines.ravel()[is_near]))


def once(pairs: Pairs) -> Pairs:
    """Each pair in one direction, sorted, of several cosines that differ by rounding the first."""
    one, other = np.minimum(pairs.one, pairs.other), np.maximum(pairs.one, pairs.other)
    order = np.lexsort((other, one))
    one, other, cosine = one[order], other[order], pairs.cosine[order]
    is_new = np.ones(len(one), dtype=bool)
    is_new[1:] = (np.diff(one) != 0) | (np.diff(other) != 0)
    return Pairs(one, other, cosine).those(is_new)


def joined(several: list[Pairs]) -> Pairs:
    """One after the other."""
    if not several:
        return Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
    return Pairs(*(np.concatenate(parts) for parts in zip(*several, strict=True)))
