"""Groups in a graph of likeness, by Leiden's algorithm: a chain of pictures, each like the next, is not one group."""

import numpy as np
from numpy.typing import NDArray

from ..engine.libraries import leiden

RESOLUTION = 0.5  # of the constant Potts model: inside a group more than half of the possible links are there
SEED = 0


def communities(
    one: NDArray[np.int64],
    other: NDArray[np.int64],
    count: int,
    resolution: float = RESOLUTION,
    *,
    by_modularity: bool = False,
) -> NDArray[np.int64]:
    """A group for each of `count` nodes, from links that are there once each; nodes without a link stand alone.

    By modularity groups are as dense as they can be beside what chance would link; a larger resolution gives more.
    """
    groups = np.arange(count)
    nodes = np.unique(np.concatenate([one, other]))
    if not len(nodes):
        return groups
    starts, ends = np.searchsorted(nodes, one), np.searchsorted(nodes, other)
    rows, columns = np.concatenate([starts, ends]), np.concatenate([ends, starts])
    order = np.lexsort((columns, rows))
    pointers = np.searchsorted(rows[order], np.arange(len(nodes) + 1)).astype(np.int64)
    _, found = leiden().leiden_csr(
        pointers,
        columns[order].astype(np.int32),
        np.ones(len(order)),
        len(nodes),
        resolution=resolution,
        use_modularity=by_modularity,
        seed=SEED,
    )
    labels = np.array([found[i] for i in range(len(nodes))])
    firsts = np.full(labels.max() + 1, count)
    np.minimum.at(firsts, labels, nodes)  # a group is called by its first node
    groups[nodes] = firsts[labels]
    return groups


def connected(one: NDArray[np.int64], other: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The group of each node: the first that any chain of links leads to. Without a library, for few nodes.

    Where only copies of a keeper go, as `keepers` has it, a chain loses no more pictures than a community.
    """
    groups = np.arange(count)
    while True:
        first = np.minimum(groups[one], groups[other])
        nearer = groups.copy()
        np.minimum.at(nearer, one, first)
        np.minimum.at(nearer, other, first)
        nearer = nearer[nearer]
        if (nearer == groups).all():
            return groups
        groups = nearer
