"""Of each group the best is kept; another goes only if it is a copy of one that stays, which is its explanation."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Links = Callable[[int, NDArray[np.int64]], NDArray[np.bool_]]  # a picture and others -> which of them are its copies


def kept_of(groups: NDArray[np.int64], quality: NDArray[np.float64], is_copy: Links) -> NDArray[np.int64]:
    """The keeper of each (n): the best of a group, its copies after it, then the best of what is left in the group."""
    keeper = np.arange(len(groups))
    order = np.lexsort((keeper, -quality, groups))
    edges = np.concatenate([[0], np.flatnonzero(np.diff(groups[order])) + 1, [len(order)]])
    several = np.flatnonzero(np.diff(edges) > 1)  # most pictures stand alone
    for start, end in zip(edges[several].tolist(), edges[several + 1].tolist(), strict=True):
        left = order[start:end]
        while len(left) > 1:
            best, others = int(left[0]), left[1:]
            copies = is_copy(best, others)
            keeper[others[copies]] = best
            left = others[~copies]
    return keeper
