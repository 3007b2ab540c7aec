"""What is searched for, and what of each partition answers it: the nearest vectors, or what captions say.

A partition is some row groups of an embedding. Both kinds of answers are tables that `best` reduces.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..captions import Statistics, bm25, captions_of, phrase, terms
from ..duplicates.cells import Vectors, as_units
from ..engine import arrow, parquet, unless_stopped
from ..engine.output import row_groups
from ..profiling.identity import sha256

GROUPS = 64  # row groups of a partition: 4096 pictures


class Hit(NamedTuple):
    """A picture that answers a query."""

    query: int
    path: str
    score: float


@dataclass(frozen=True)
class ByVectors:
    """Queries as vectors in the embedding's space."""

    told: tuple[str, ...]  # each query for a person
    vectors: Vectors = field(repr=False)  # (q c), of length 1
    reader: str  # who made them
    most: int
    without: frozenset[str] = frozenset()  # paths that are no answer

    @property
    def identity(self) -> Mapping[str, Any]:
        """What makes another search of it."""
        return {
            "queries": list(self.told),
            "vectors": self.vectors.astype(float).round(6).tolist(),
            "by": self.reader,
            "without": digest_of(self.without),
        }

    def answers(self, embedded: Path, groups: range) -> Any:
        """The nearest of a partition."""
        paths, cosines = list[str](), [np.empty((len(self.vectors), 0), np.float32)]
        for table in unless_stopped(row_groups(embedded, ["path", "vector"], groups)):
            there = table.filter(table["vector"].is_valid())
            there = there.filter(
                arrow().array([path not in self.without for path in there["path"].to_pylist()], "bool")
            )
            if there.num_rows:
                flat = np.asarray(there["vector"].combine_chunks().flatten()).reshape(there.num_rows, -1)
                cosines.append(self.vectors @ as_units(flat).T)
                paths += there["path"].to_pylist()
        scores = np.concatenate(cosines, axis=1)
        hits = [
            Hit(query, paths[i], float(row[i])) for query, row in enumerate(scores) for i in largest(row, self.most)
        ]
        return arrow().Table.from_pylist(
            [each._asdict() for each in hits],
            schema=arrow().schema([("query", "int64"), ("path", "string"), ("score", "float64")]),
        )

    def hits(self, answered: Path) -> Iterator[Hit]:
        """Those of all partitions, in no order."""
        for table in row_groups(answered):
            yield from (Hit(**row) for row in table.to_pylist())


def digest_of(paths: Iterable[str]) -> str:
    """What changes with a set of paths."""
    return sha256("\n".join(sorted(paths)).encode())


def largest(row: NDArray[np.float32], most: int) -> list[int]:
    """Places of the largest values, in no order."""
    return (np.argpartition(-row, most - 1)[:most] if len(row) > most else np.arange(len(row))).tolist()


@dataclass(frozen=True)
class ByCaptions:
    """Queries as words, compared with captions by BM25: what is not said of a picture is not found."""

    told: tuple[str, ...]
    most: int
    reader: str = "BM25 over captions"
    as_phrases: bool = False  # only captions that say a query as it is, its words side by side
    without: frozenset[str] = frozenset()  # paths that are no answer

    @property
    def identity(self) -> Mapping[str, Any]:
        """What makes another search of it."""
        told = {"queries": list(self.told), "by": self.reader, "as phrases": self.as_phrases}
        return told | {"without": digest_of(self.without)}

    @cached_property
    def asked(self) -> list[list[str]]:
        """The terms of each query."""
        return [terms(each) for each in self.told]

    @cached_property
    def known(self) -> list[str]:
        """The terms of all queries."""
        return sorted({term for each in self.asked for term in each})

    def answers(self, embedded: Path, groups: range) -> Any:
        """How often each term is in the captions of each picture; a picture with the same pixels may say otherwise."""
        rows = list[dict[str, Any]]()
        for table in unless_stopped(row_groups(embedded, ["path"], groups)):
            paths: list[str] = table["path"].to_pylist()
            for path, captions in zip(paths, captions_of(paths), strict=True):
                said = [term for caption in captions for term in terms(caption)]
                counts, phrases = Counter(said), [phrase(caption) for caption in captions]
                rows.append(
                    {
                        "path": path,
                        "length": len(said),
                        "counts": [counts[term] for term in self.known],
                        "answers": [path not in self.without and self._answers(each, phrases) for each in self.told],
                    }
                )
        lists = [("counts", arrow().list_(arrow().int64())), ("answers", arrow().list_(arrow().bool_()))]
        schema = arrow().schema([("path", "string"), ("length", "int64"), *lists])
        return arrow().Table.from_pylist(rows, schema=schema)

    def _answers(self, query: str, phrases: Sequence[str]) -> bool:
        return not self.as_phrases or any(phrase(query) in each for each in phrases)

    def hits(self, answered: Path) -> Iterator[Hit]:
        """The scores that are above 0, in no order."""
        statistics = self.statistics(answered)
        if not statistics.documents:
            raise ValueError(
                "none of these pictures has a caption, which words are compared with: write captions beside them, or "
                "search by a picture, or give --with the CLIP or SigLIP that made the vectors"
            )
        for table in row_groups(answered):
            for row in table.to_pylist():
                counts = dict(zip(self.known, row["counts"], strict=True))
                for query, asked in enumerate(self.asked):
                    if row["answers"][query] and (score := bm25(asked, counts, row["length"], statistics)):
                        yield Hit(query, row["path"], score)

    def statistics(self, answered: Path) -> Statistics:
        """Of all captions, as far as the queries ask."""
        documents, length, found = 0, 0, np.zeros(len(self.known), np.int64)
        for table in row_groups(answered):
            lengths = np.asarray(table["length"])
            documents, length = documents + int((lengths > 0).sum()), length + int(lengths.sum())
            counts = np.asarray(table["counts"].combine_chunks().flatten()).reshape(len(lengths), -1)
            found += (counts > 0).sum(0) if counts.size else 0
        return Statistics(documents, length / max(documents, 1), dict(zip(self.known, found.tolist(), strict=True)))


def partitions_of(embedded: Path) -> list[range]:
    """The row groups of each partition."""
    with parquet().ParquetFile(embedded) as opened:
        count: int = opened.num_row_groups
    return [range(first, min(first + GROUPS, count)) for first in range(0, count, GROUPS)]
