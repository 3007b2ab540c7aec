"""The rows of a concept map: the columns that others read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine import arrow
from .graph import ConceptGraph

ROWS = 16384  # concepts in a partition
COLUMNS = {
    "concept": "its id: dog.n.01 (WordNet), enwiki:Dog, emoji:1F436, phrase:red fox",
    "name_en": "the first English name; empty for none",
    "name_zh": "the first Chinese name; empty for none",
    "words_en": "all English names, by which captions are searched",
    "words_zh": "all Chinese names",
    "kind": "WordNet's lexicographer file (animal, artifact, ...), else article, category, emoji, group, phrase",
    "parents": "ids of what it is a kind of",
    "depth": "the longest way to the top",
    "generality": "0 with nothing below it, 1 with all: log(below + 1) / log(all)",
    "pagerank": "among all concepts that were read; damping 0.85",
    "captions": "captions that speak of it",
    "coverage": "captions that speak of it or of anything below it",
    "rarity": "ln(1 + (N - coverage + 0.5) / (coverage + 0.5)), N captions in all; null without captions",
}


@dataclass(frozen=True)
class Found:
    """What is known of each concept of a graph, by number."""

    graph: ConceptGraph
    depth: NDArray[np.int32]
    generality: NDArray[np.float64]
    rank: NDArray[np.float64]
    captions: NDArray[np.int64]
    coverage: NDArray[np.int64]
    rarity: NDArray[np.float64] | None  # None without captions


@dataclass(frozen=True)
class ConceptRows:
    """Gives the rows of a partition; an Arrow table goes quickly to the threads and processes that ask."""

    table: Any

    @property
    def partitions(self) -> int:
        """At least one, so that a map without concepts is a table, too."""
        return max(1, -(-self.table.num_rows // ROWS))

    def __call__(self, partition: int) -> Any:
        """`ROWS` concepts in the graph's order."""
        return self.table.slice(partition * ROWS, ROWS)


def table_of(found: Found) -> Any:
    """All concepts, a row each, every column with its meaning in the schema."""
    library = arrow()
    texts, lists = library.string(), library.list_(library.string())
    types = {
        **dict.fromkeys(("concept", "name_en", "name_zh", "kind"), texts),
        **dict.fromkeys(("words_en", "words_zh", "parents"), lists),
        "rarity": library.float64(),
    }
    columns = {name: library.array(values, types.get(name)) for name, values in columns_of(found).items()}
    fields = [library.field(name, columns[name].type, metadata={"meaning": COLUMNS[name]}) for name in COLUMNS]
    return library.table(columns, schema=library.schema(fields))


def columns_of(found: Found) -> dict[str, Sequence[Any] | NDArray[Any]]:
    """The columns of all concepts by name."""
    concepts = found.graph.concepts
    parents: list[list[str]] = [[] for _ in concepts]
    for child, parent in found.graph.parents.T.tolist():
        parents[child].append(concepts[parent].id)
    return {
        "concept": [each.id for each in concepts],
        "name_en": [first_of(each.english) for each in concepts],
        "name_zh": [first_of(each.chinese) for each in concepts],
        "words_en": [list(each.english) for each in concepts],
        "words_zh": [list(each.chinese) for each in concepts],
        "kind": [each.kind for each in concepts],
        "parents": parents,
        "depth": found.depth,
        "generality": found.generality,
        "pagerank": found.rank,
        "captions": found.captions,
        "coverage": found.coverage,
        "rarity": [None] * len(concepts) if found.rarity is None else found.rarity,
    }


def rows_of(found: Found) -> list[dict[str, Any]]:
    """The same, a row each, in plain values."""
    columns = columns_of(found)
    plain = [values.tolist() if isinstance(values, np.ndarray) else values for values in columns.values()]
    return [dict(zip(columns, values, strict=True)) for values in zip(*plain, strict=True)]


def first_of(names: tuple[str, ...]) -> str:
    """The name that is shown."""
    return names[0] if names else ""
