"""The stage that answers queries: each partition by itself, then the best of all; a row a hit, best first.

Memory does not grow with the number of pictures; a killed search goes on with the partitions that are missing.
"""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..engine import Progress, Stage, arrow, file_digest, parquet, record_of_stage, run_stage
from ..engine.output import glob_literal
from .query import ByCaptions, ByVectors, Hit, partitions_of

VERSION = 1
READ = ("path", "vector")  # columns of the embedding


@dataclass(frozen=True)
class Answering:
    """Answers of one partition."""

    embedded: Path
    search: ByVectors | ByCaptions
    partitions: list[range]

    def __call__(self, partition: int) -> Any:
        """As a table of the search's own columns."""
        return self.search.answers(self.embedded, self.partitions[partition])


@dataclass(frozen=True)
class Listed:
    """The rows of the output."""

    rows: list[dict[str, Any]]

    def __call__(self, partition: int) -> Any:
        """Query, rank from 1 on, path and score."""
        schema = [("query", "string"), ("rank", "int32"), ("path", "string"), ("score", "float64")]
        return arrow().Table.from_pylist(self.rows, schema=arrow().schema(schema))


def best(hits: Iterable[Hit], queries: int, most: int) -> list[list[Hit]]:
    """The highest scores of each query, equals by their paths; at most twice as many hits are in memory."""
    kept: list[list[Hit]] = [[] for _ in range(queries)]
    for hit in hits:
        kept[hit.query].append(hit)
        if len(kept[hit.query]) == 2 * most:
            kept[hit.query] = sorted(kept[hit.query], key=order)[:most]
    return [sorted(ranked, key=order)[:most] for ranked in kept]


def order(hit: Hit) -> tuple[float, str]:
    """Best first."""
    return -hit.score, hit.path


def find_pictures(embedded: Path, out: Path, search: ByVectors | ByCaptions) -> Iterator[Progress]:
    """Write the hits of an embedding's pictures; captions are read anew each time, as they may have changed."""
    record_of_stage(embedded, "embed", READ)
    inputs, partitions = file_digest(embedded), partitions_of(embedded)
    parameters = {**search.identity, "most": search.most}
    answering = Stage(
        name="answers",
        version=VERSION,
        inputs=inputs,
        parameters=parameters,
        partitions=len(partitions),
        work=Answering(embedded, search, partitions),
    )
    hidden = out.with_name(f".{out.name}.{answering.key[:12]}.answers")
    hidden.mkdir(exist_ok=True)
    yield from run_stage(answering, hidden / "answers.parquet")
    ranked = best(search.hits(hidden / "answers.parquet"), len(search.told), search.most)
    rows = [
        {"query": told, "rank": rank, "path": hit.path, "score": hit.score}
        for told, hits in zip(search.told, ranked, strict=True)
        for rank, hit in enumerate(hits, 1)
    ]
    found = Stage(
        name="search",
        version=VERSION,
        inputs=file_digest(hidden / "answers.parquet"),
        parameters=parameters,
        partitions=1,
        work=Listed(rows),
        summary={"by": search.reader, "queries": len(search.told)},
    )
    yield from run_stage(found, out)
    for left in out.parent.glob(f".{glob_literal(out.name)}.{'[0-9a-f]' * 12}.answers"):  # of other queries, too
        shutil.rmtree(left, ignore_errors=True)


def found_in(out: Path) -> dict[str, list[dict[str, Any]]]:
    """The rows of a search by their query, best first."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in parquet().read_table(out).to_pylist():
        rows.setdefault(row["query"], []).append(row)
    return rows
