"""Copies in a folder by other libraries, each with its documented defaults. Run by a Python that has them:

    PYTHON bench/systems/copies.py SYSTEM FOLDER VECTORS.npz

It prints JSON: seconds of the processor after all imports, and pairs of file names. It needs nothing of ours; the
vectors (`names`, `vectors` of length 1) are for those that look at vectors and not at pictures.
"""

import importlib.metadata
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

LEAST = 0.9  # the cosine from which on semhash calls things copies, by default
Pairs = list[tuple[str, str]]


def cleanvision(folder: Path, names: list[str], vectors: Any) -> Callable[[], Pairs]:
    """Its exact and near duplicates."""
    from cleanvision import Imagelab  # pyright: ignore[reportMissingImports]

    def run() -> Pairs:
        lab = Imagelab(data_path=str(folder))
        lab.find_issues({"exact_duplicates": {}, "near_duplicates": {}}, n_jobs=1, verbose=False)
        sets = [*lab.info["exact_duplicates"]["sets"], *lab.info["near_duplicates"]["sets"]]
        return [(Path(one).name, Path(other).name) for each in sets for one, other in itertools.combinations(each, 2)]

    return run


def imagededup(folder: Path, names: list[str], vectors: Any) -> Callable[[], Pairs]:
    """By perceptual hashes."""
    from imagededup.methods import PHash  # pyright: ignore[reportMissingImports]

    def run() -> Pairs:
        found: dict[str, list[str]] = PHash(verbose=False).find_duplicates(
            image_dir=folder, num_enc_workers=0, num_dist_workers=0
        )
        return [(name, other) for name, others in found.items() for other in others]

    return run


def semhash(folder: Path, names: list[str], vectors: Any) -> Callable[[], Pairs]:
    """Over our vectors."""
    from semhash import SemHash  # pyright: ignore[reportMissingImports]

    def run() -> Pairs:
        index = SemHash.from_embeddings(embeddings=vectors, records=names, model=NoModel())
        found: Iterable[Any] = index.self_deduplicate(threshold=LEAST).filtered
        return [(each.record, other) for each in found for other, _ in each.duplicates]

    return run


class NoModel:
    """Vectors are given."""

    def encode(self, inputs: Any, **options: Any) -> Any:
        """Never asked."""
        raise NotImplementedError


def faiss(folder: Path, names: list[str], vectors: Any) -> Callable[[], Pairs]:
    """All pairs of our vectors above the same cosine."""
    import faiss as library  # pyright: ignore[reportMissingImports]

    def run() -> Pairs:
        library.omp_set_num_threads(1)
        index = library.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        limits, _, others = index.range_search(vectors, LEAST)
        rows = np.repeat(np.arange(len(vectors)), np.diff(limits.astype(np.int64)))
        return [(names[one], names[other]) for one, other in zip(rows, others, strict=True) if one < other]

    return run


SYSTEMS = {"cleanvision": cleanvision, "imagededup": imagededup, "semhash": semhash, "faiss": faiss}
PACKAGES = {"faiss": "faiss-cpu"}


def main() -> None:
    """Command line."""
    name, folder, file = sys.argv[1:]
    given = np.load(file)
    run = SYSTEMS[name](Path(folder), given["names"].tolist(), np.ascontiguousarray(given["vectors"], np.float32))
    output, sys.stdout = sys.stdout, sys.stderr  # what they print is not the answer
    started = time.process_time() + sum(os.times()[2:4])
    pairs = run()
    seconds = time.process_time() + sum(os.times()[2:4]) - started
    version = importlib.metadata.version(PACKAGES.get(name, name))
    output.write(json.dumps({"version": version, "seconds": seconds, "pairs": pairs}))


if __name__ == "__main__":
    main()
