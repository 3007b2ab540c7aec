"""Cells that overlap: every vector is in its nearest two, so that neighbours across a border still meet in one."""

import numpy as np
from numpy.typing import NDArray

from ..._shapes import Float, Int

PER_CELL = 2000  # vectors, so that a cell of about twice as many is searched at once
OVERLAP = 2  # cells that a vector is in
SAMPLE = 50  # vectors per cell from which centres are learned
ROUNDS = 8
BLOCK = 4096  # vectors compared with all centres at once

Vectors = NDArray[np.float32]


def centres_of(vectors: Vectors, seed: int) -> Vectors:
    """Centres (m c) by spherical k-means on a random sample; one for few vectors."""
    count = max(1, round(len(vectors) / PER_CELL))
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.choice(len(vectors), min(len(vectors), SAMPLE * count), replace=False))
    sample = np.asarray(vectors[chosen], np.float32)
    centres = sample[rng.choice(len(sample), count, replace=False)]
    for _ in range(ROUNDS if count > 1 else 0):
        nearest = (sample @ centres.T).argmax(1)
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, sample)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(lengths > 0, sums / np.maximum(lengths, 1e-12), centres)  # an empty one stays
    return centres


def nearest_cells(vectors: Vectors, centres: Vectors) -> NDArray[np.int32]:
    """For each vector the two nearest centres (n 2), in blocks, so that memory grows with n only by that."""
    wide = min(OVERLAP, len(centres))
    found = np.empty((len(vectors), wide), np.int32)
    for first in range(0, len(vectors), BLOCK):
        nearness = np.asarray(vectors[first : first + BLOCK], np.float32) @ centres.T
        found[first : first + BLOCK] = np.argpartition(-nearness, wide - 1, axis=1)[:, :wide]
    return found


def members(cells: Int[np.ndarray, "n wide"], count: int) -> list[NDArray[np.int64]]:
    """For each cell the numbers of its vectors, ascending."""
    wide = cells.shape[1]
    order = np.argsort(cells, axis=None, kind="stable")
    edges = np.searchsorted(cells.ravel()[order], np.arange(count + 1))
    return [np.sort(order[edges[i] : edges[i + 1]] // wide) for i in range(count)]


def as_units(vectors: Float[np.ndarray, "n c"]) -> Vectors:
    """Vectors of length 1; a zero stays zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
