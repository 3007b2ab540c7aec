"""Cells that overlap: every vector is in its nearest two or three, so that neighbours across a border meet in one."""

import numpy as np
from numpy.typing import NDArray

from ..._shapes import Float, Int

PER_CELL = 2000  # vectors, so that a cell of two or three times as many is searched at once
FEW, MANY = 2, 3  # cells that a vector is in
MOST_FOR_FEW = 16  # cells, beyond which borders are so many that two in a cell each lose a pair in fifty
SAMPLE = 50  # vectors per cell from which centres are learned
ROUNDS = 8
BLOCK = 4096  # vectors compared with all centres at once

Vectors = NDArray[np.float32]


def centres_of(vectors: Vectors, numbers: NDArray[np.int64], seed: int) -> Vectors:
    """Centres (m c) by spherical k-means on a random sample of some vectors; one for few."""
    count = max(1, round(len(numbers) / PER_CELL))
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.choice(len(numbers), min(len(numbers), SAMPLE * count), replace=False))
    sample = np.asarray(vectors[numbers[chosen]], np.float32)
    centres = sample[rng.choice(len(sample), count, replace=False)]
    for _ in range(ROUNDS if count > 1 else 0):
        nearest = (sample @ centres.T).argmax(1)
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, sample)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(lengths > 0, sums / np.maximum(lengths, 1e-12), centres)  # an empty one stays
    return centres


def nearest_cells(vectors: Vectors, numbers: NDArray[np.int64], centres: Vectors) -> NDArray[np.int32]:
    """For each of some vectors the nearest centres (n 1..3), in blocks, so that memory grows with n only by that."""
    wide = min(FEW if len(centres) <= MOST_FOR_FEW else MANY, len(centres))
    found = np.empty((len(numbers), wide), np.int32)
    for first in range(0, len(numbers), BLOCK):
        nearness = np.asarray(vectors[numbers[first : first + BLOCK]], np.float32) @ centres.T
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
