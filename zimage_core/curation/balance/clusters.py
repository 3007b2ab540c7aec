"""Clusters of likeness: communities of the graph in which each picture is linked with its nearest."""

from collections.abc import Generator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..duplicates.communities import communities
from ..duplicates.grouped import first_of_same_pixels, read_pairs
from ..duplicates.pair_search import CopyTest, search_of
from ..duplicates.scratch import fill
from ..engine import Progress, Stage, file_digest, run_stage

VERSION = 2
ANY = CopyTest(least_cosine=-2.0, most_difference=None)  # the nearest, however far


def find_clusters(
    embedded: Path, hidden: Path, shape: tuple[int, int], neighbours: int, resolution: float, seed: int
) -> Generator[Progress, None, NDArray[np.int64]]:
    """For each picture of an embedding of `shape` the number of its cluster's first; its own without a vector.

    Links are searched cell by cell below `hidden`, and a killed run goes on. Pictures with the same pixels are linked
    as one and are in one cluster.
    """
    scratch = fill(embedded, hidden, *shape)
    search = search_of(scratch, neighbours, ANY, seed)
    stage = Stage(
        name="links",
        version=VERSION,
        inputs=file_digest(embedded),
        parameters={"neighbours": neighbours, "seed": seed},
        partitions=len(search.cells),
        work=search,
    )
    yield from run_stage(stage, hidden / "links.parquet")
    pairs = read_pairs(hidden / "links.parquet")
    groups = communities(pairs.one, pairs.other, shape[0], resolution, by_modularity=True)
    return groups[first_of_same_pixels(scratch, search.chosen)]
