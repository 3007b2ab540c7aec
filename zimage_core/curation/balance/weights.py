"""Weights of pictures, as plain functions of arrays."""

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float64]


def cluster_weights(clusters: NDArray[np.int64], alpha: float) -> Weights:
    """Of each picture, so that a cluster of m pictures is seen m**alpha times as often as one of a single picture.

    With 1 all pictures are alike, with 0 all clusters; the temperature of languages in multilingual models
    (arXiv 1901.07291, section 3.1).
    """
    _, places, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    return sizes[places].astype(np.float64) ** (alpha - 1)


def rarity_factors(rarity: Weights, strength: float) -> Weights:
    """Rarity beside its mean, to the power of `strength`; pictures without captions (NaN) count as the mean."""
    known = ~np.isnan(rarity)
    if not known.any():
        return np.ones_like(rarity)
    mean = rarity[known].mean()
    relative = np.where(known, rarity, mean) / mean if mean > 0 else np.ones_like(rarity)
    return np.maximum(relative, 1e-3) ** strength


def of_mean_one(weights: Weights, chosen: NDArray[np.bool_]) -> Weights:
    """The weights of those chosen, whose mean becomes 1; 0 for the others."""
    kept = np.where(chosen, weights, 0.0)
    return kept * chosen.sum() / kept.sum() if chosen.any() else kept


def draw(weights: Weights, count: int, seed: int) -> NDArray[np.int64]:
    """`count` numbers, ascending, none twice, in turn by their weights among those that are left; never weight 0.

    The largest of u**(1/w), u uniform in [0, 1] (Efraimidis and Spirakis 2006).
    """
    possible = np.flatnonzero(weights > 0)
    with np.errstate(divide="ignore"):
        keys = np.log(np.random.default_rng(seed).random(len(possible))) / weights[possible]
    return np.sort(possible[np.argsort(-keys)[:count]])
