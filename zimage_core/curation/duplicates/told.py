"""The list of a deduplication: a row a picture, in the embedding's order; how the search compares with brute force."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine import arrow, parquet
from .agreement import adjusted_rand, recall
from .communities import communities
from .grouped import Grouped
from .neighbours import Pairs, exact, joined, once
from .pair_search import PairSearch, copies_among

KEPT, SAME, NEAR = "kept", "exact", "near"
COSINES = 1 << 22  # in memory at once: 17 MB


@dataclass(frozen=True)
class Listed:
    """Makes the rows of one of the embedding's row groups."""

    embedded: Path
    found: Grouped | None  # None where only the stage's key is asked for

    def __call__(self, partition: int) -> Any:
        """Path, cluster, keeper, distance, and the explanation; pictures that had changed are left out."""
        if self.found is None:
            raise ValueError("nothing was grouped yet")
        found = self.found
        with parquet().ParquetFile(self.embedded) as opened:
            counts = [opened.metadata.row_group(group).num_rows for group in range(partition + 1)]
            table = opened.read_row_group(partition, columns=["path", "quality", "vector"])
        first = sum(counts[:partition])
        rows = np.flatnonzero(np.asarray(table["vector"].is_valid()))
        numbers: list[int] = (rows + first).tolist()
        keepers: list[int] = found.keeper[numbers].tolist()
        names = paths_of(self.embedded, np.unique(numbers + keepers))
        kinds = [kind_of(found, number) for number in numbers]
        return arrow().table(
            {
                "path": [names[number] for number in numbers],
                "cluster": keepers,
                "keeper": [names[number] for number in keepers],
                "distance": found.distance[numbers],
                "kind": kinds,
                "difference": found.difference[numbers].astype(np.float64),
                "mirrored": found.mirrored[numbers],
                "quality": table["quality"].take(arrow().array(rows)),
                "reason": [
                    reason(kind, names[keeper], found, number)
                    for kind, keeper, number in zip(kinds, keepers, numbers, strict=True)
                ],
            }
        )


def kind_of(found: Grouped, number: int) -> str:
    """Whether a picture stays, and if not, how it is like its keeper."""
    return KEPT if found.keeper[number] == number else SAME if found.exact[number] else NEAR


def reason(kind: str, keeper: str, found: Grouped, number: int) -> str:
    """Why a picture need not stay, in a sentence; nothing for one that does."""
    if kind == KEPT:
        return ""
    if kind == SAME:
        return f"the same pixels as {keeper}"
    other = f"{keeper} mirrored" if found.mirrored[number] else keeper
    return (
        f"nearly {other}: cosine {1 - found.distance[number]:.4f}, "
        f"{found.difference[number]:.0f} % of their contrast apart once aligned"
    )


def paths_of(embedded: Path, numbers: NDArray[np.int64]) -> dict[int, str]:
    """The paths of some pictures, ascending; only the row groups that hold them are read."""
    found, first = dict[int, str](), 0
    with parquet().ParquetFile(embedded) as opened:
        for group in range(opened.num_row_groups):
            after = first + opened.metadata.row_group(group).num_rows
            here = numbers[np.searchsorted(numbers, first) : np.searchsorted(numbers, after)]
            if len(here):
                column = opened.read_row_group(group, columns=["path"])["path"]
                found |= zip(here.tolist(), column.take(arrow().array(here - first)).to_pylist(), strict=True)
            first = after
    return found


def summary_of(search: PairSearch, pairs: Pairs, found: Grouped, sample: int, seed: int) -> Mapping[str, Any]:
    """Counts, and how the search compares with all pairs of a sample."""
    is_there = search.scratch.has_vector
    dropped = is_there & (found.keeper != np.arange(len(is_there)))
    return {
        "pictures": int(is_there.sum()),
        "kept": int((is_there & ~dropped).sum()),
        "exact": int((dropped & found.exact).sum()),
        "near": int((dropped & ~found.exact).sum()),
        "pairs": len(pairs.one),
        **against_all_pairs(search, pairs, sample, seed),
    }


def against_all_pairs(search: PairSearch, pairs: Pairs, sample: int, seed: int) -> Mapping[str, Any]:
    """Recall of the links of some pictures, and the adjusted Rand index of groups among them and their neighbours."""
    chosen, count = search.chosen, len(search.scratch.quality)
    some = np.sort(np.random.default_rng(seed).choice(chosen, min(sample, len(chosen)), replace=False))
    true = links(search, some)
    near = np.unique(np.concatenate([some, true.one, true.other]))
    vectors = search.scratch.vectors()[near]
    inside = exact(vectors, vectors, len(near), search.test.least_cosine)
    among = copies_among(search.scratch, Pairs(near[inside.one], near[inside.other], inside.cosine), search.test)
    true_links, found_links = np.stack([true.one, true.other]), np.stack([pairs.one, pairs.other])
    found_among = found_links[:, np.isin(found_links, near).all(0)]
    groups = [communities(one, other, count)[near] for one, other in ((among.one, among.other), found_among)]
    return {
        "sample": len(some),
        "recall": recall(found_links, true_links, count),
        "adjusted_rand": adjusted_rand(*groups),
    }


def links(search: PairSearch, some: NDArray[np.int64]) -> Pairs:
    """All copies of some pictures by the same test, found by comparing them with every one; vectors are read once."""
    vectors = search.scratch.vectors()
    asked, found, block = vectors[some], list[Pairs](), max(1, COSINES // max(1, len(some)))
    for first in range(0, len(search.chosen), block):
        places = search.chosen[first : first + block]
        cosines = vectors[places] @ asked.T
        rows, columns = np.nonzero((cosines >= search.test.least_cosine) & (places[:, None] != some))
        found.append(Pairs(some[columns], places[rows], cosines[rows, columns]))
    return copies_among(search.scratch, once(joined(found)), search.test)
