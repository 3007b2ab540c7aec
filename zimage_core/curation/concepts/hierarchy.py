"""What is a kind of what, as sparse matrices of yes and no: child -> parent, without circles."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.libraries import sparse
from .graph import Edges


def as_matrix(edges: Edges, count: int) -> Any:
    """(count count), True from a child to its parents."""
    found = sparse().csr_array((np.ones(edges.shape[1], bool), (edges[0], edges[1])), (count, count))
    found.sum_duplicates()
    return found


def as_edges(matrix: Any) -> Edges:
    """The other way."""
    return np.stack(matrix.nonzero()).astype(np.int64)


def without_circles(parents: Edges, rank: NDArray[np.float64]) -> Edges:
    """Edges less those that close circles: in a strongly connected part only those to a higher rank stay."""
    _, part = sparse().csgraph.connected_components(as_matrix(parents, len(rank)), connection="strong")
    place = np.empty(len(rank), np.int64)
    place[np.lexsort((np.arange(len(rank)), rank))] = np.arange(len(rank))
    child, parent = parents
    return parents[:, (part[child] != part[parent]) | (place[child] < place[parent])]


def ancestors(parents: Any) -> Any:
    """(n n), True from each to all above it; it ends, as there are no circles."""
    reached, step = parents, parents
    while step.nnz:
        step = step @ parents
        reached = reached + step
    return reached


def depths(parents: Any) -> NDArray[np.int32]:
    """The longest way up of each; 0 for those at the top."""
    found, step, above = np.zeros(parents.shape[0], np.int32), parents, 0
    while step.nnz:
        above += 1
        found[np.unique(step.nonzero()[0])] = above
        step = step @ parents
    return found


def generality(above: Any) -> NDArray[np.float64]:
    """0 for what has nothing below it, 1 for what all others are below.

    One less the intrinsic information content of Seco, Veale and Hayes (2004): log(below + 1) / log(all).
    """
    count = above.shape[0]
    below = np.bincount(above.nonzero()[1], minlength=count)
    return np.log(below + 1) / max(np.log(max(count, 1)), np.finfo(float).eps)


def contracted(parents: Any, is_kept: NDArray[np.bool_]) -> Any:
    """(k k) of those that are kept: what lost a parent hangs under the next above it."""
    kept, dropped = np.flatnonzero(is_kept), np.flatnonzero(~is_kept)
    found, step = parents[kept][:, kept], parents[kept][:, dropped]
    inside, out = parents[dropped][:, dropped], parents[dropped][:, kept]
    while step.nnz:
        found = found + step @ out
        step = step @ inside
    return found
