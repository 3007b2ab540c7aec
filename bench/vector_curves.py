"""Copies among vectors by their number, out of core: what each stage of the search takes, and what it finds.

Each vector is a random direction, the hardest case for cells, and has one neighbour; all lie in a file that is mapped,
as those of an embedding do.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from zimage_core.curation.duplicates.cells import Vectors, as_units
from zimage_core.curation.duplicates.communities import communities
from zimage_core.curation.duplicates.grouped import are_copies, read_pairs
from zimage_core.curation.duplicates.keepers import kept_of
from zimage_core.curation.duplicates.pair_search import CopyTest, search_of
from zimage_core.curation.duplicates.told import against_all_pairs
from zimage_core.curation.embedding.looks import LOOK, Looks
from zimage_core.curation.engine import Stage, run_stage

from .stage_clock import Taken, clocked

WIDTH, NOISE = 256, 0.02
TEST, K, SAMPLE = CopyTest(least_cosine=0.9, most_difference=None), 20, 200
BLOCK = 10_000  # vectors made at once


@dataclass(frozen=True)
class Mapped:
    """Vectors in a file, each with pixels and a quality of its own; what they look like is not asked for."""

    file: Path
    quality: NDArray[np.float64]
    pixels: NDArray[np.void]

    @property
    def has_vector(self) -> NDArray[np.bool_]:
        """All."""
        return np.ones(len(self.quality), dtype=bool)

    def vectors(self) -> Vectors:
        """(n 256), mapped."""
        return np.load(self.file, mmap_mode="r")

    def looks(self) -> Looks:
        """One grey for all."""
        return np.broadcast_to(np.zeros((LOOK, LOOK, 3), np.uint8), (len(self.quality), LOOK, LOOK, 3))


def with_neighbours(file: Path, count: int) -> Mapped:
    """Write unit vectors, each odd one near the one before it: cosine about 0.95."""
    rng = np.random.default_rng(0)
    written = np.lib.format.open_memmap(file, "w+", np.float32, (count, WIDTH))
    for first in range(0, count, BLOCK):
        firsts = rng.standard_normal((min(BLOCK, count - first) // 2, WIDTH), np.float32) / math.sqrt(WIDTH)
        seconds = firsts + NOISE * rng.standard_normal(firsts.shape, np.float32)
        written[first : first + 2 * len(firsts)] = as_units(np.stack([firsts, seconds], 1).reshape(-1, WIDTH))
    written.flush()
    return Mapped(file, rng.random(count), np.frombuffer(rng.bytes(32 * count), "V32"))


def vector_stages(folder: Path, count: int) -> Iterator[Taken | str]:
    """The search, stage by stage; at the end what was found. Only vectors and pairs lie on the disk."""
    some = with_neighbours(folder / "vectors.npy", count)
    with clocked("cells", count) as taken:
        search = search_of(some, K, TEST, 0)
    yield taken
    stage = Stage(
        name="pairs", version=1, inputs="", parameters={"count": count}, partitions=len(search.cells), work=search
    )
    with clocked("pairs", count) as taken:
        for _ in tqdm(run_stage(stage, folder / f"pairs {count}.parquet"), total=len(search.cells) + 1, leave=False):
            pass
    yield taken
    with clocked("groups", count) as taken:
        pairs = read_pairs(folder / f"pairs {count}.parquet")
        groups = communities(pairs.one, pairs.other, count)
        keeper = kept_of(groups, some.quality, lambda best, others: are_copies(search, best, others))
    yield taken
    with clocked("judged", count) as taken:
        judged = against_all_pairs(search, pairs, SAMPLE, 0)
    yield taken
    pair_keeper = keeper.reshape(-1, 2)
    found = float((pair_keeper[:, 0] == pair_keeper[:, 1]).mean())
    false = int((pair_keeper // 2 != np.arange(count // 2)[:, None]).sum())
    yield (
        f"{count} vectors in {len(search.cells)} cells: {found:.4f} of the planted pairs found, {false} falsely; "
        f"told by {judged['sample']} of them: recall {judged['recall']:.4f}, "
        f"Rand index {judged['adjusted_rand']:.4f}"
    )
