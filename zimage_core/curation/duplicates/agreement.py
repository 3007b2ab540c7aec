"""How far two ways of grouping agree, and how many of the true links were found."""

import numpy as np
from numpy.typing import NDArray


def adjusted_rand(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    """The adjusted Rand index of two groupings (Hubert and Arabie 1985): 1 for the same, about 0 by chance."""
    joint = np.unique(np.stack([one, other]), axis=1, return_counts=True)[1]
    sizes = (np.unique(each, return_counts=True)[1] for each in (one, other))
    both, (first, second) = pairs(joint), map(pairs, sizes)
    by_chance = first * second / max(1, pairs(np.array([len(one)])))
    most = (first + second) / 2
    return 1.0 if most == by_chance else float((both - by_chance) / (most - by_chance))


def pairs(sizes: NDArray[np.int64]) -> float:
    """How many pairs there are inside groups of these sizes."""
    return float((sizes.astype(np.float64) * (sizes - 1) / 2).sum())


def recall(found: NDArray[np.int64], true: NDArray[np.int64], count: int) -> float:
    """The share of true links (2 n) that are among those found; 1 where there are none. `count` nodes."""
    if not true.shape[1]:
        return 1.0
    return float(np.isin(true[0] * count + true[1], found[0] * count + found[1]).mean())
