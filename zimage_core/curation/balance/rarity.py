"""How rare what captions say is: the mean inverse document frequency of a caption's different terms, BM25's own.

Captions are read once, into a hidden table; the vocabulary's counts are in memory.
"""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..captions import Statistics, captions_of, idf, statistics_of, terms
from ..engine import Progress, Stage, arrow, file_digest, run_stage, unless_stopped
from ..engine.output import row_groups
from ..search.query import partitions_of

VERSION = 1


@dataclass(frozen=True)
class Captioned:
    """Reads the captions of a partition of an embedding."""

    embedded: Path
    partitions: list[range]

    def __call__(self, partition: int) -> Any:
        """A row a picture."""
        rows = list[dict[str, Any]]()
        for table in unless_stopped(row_groups(self.embedded, ["path"], self.partitions[partition])):
            paths: list[str] = table["path"].to_pylist()
            rows += [
                {"path": path, "captions": list(said)} for path, said in zip(paths, captions_of(paths), strict=True)
            ]
        schema = [("path", "string"), ("captions", arrow().list_(arrow().string()))]
        return arrow().Table.from_pylist(rows, schema=arrow().schema(schema))


def read_captions(embedded: Path, out: Path) -> Generator[Progress, None, NDArray[np.float64]]:
    """Write the captions of all pictures, and return the rarity of each; NaN without a caption."""
    partitions = partitions_of(embedded)
    stage = Stage(
        name="captions",
        version=VERSION,
        inputs=file_digest(embedded),
        parameters={},
        partitions=len(partitions),
        work=Captioned(embedded, partitions),
    )
    yield from run_stage(stage, out)
    statistics = statistics_of(said for table in row_groups(out, ["captions"]) for said in terms_in(table))
    return np.array(
        [rarity(said, statistics) for table in row_groups(out, ["captions"]) for said in terms_in(table)], np.float64
    )


def terms_in(table: Any) -> list[list[str]]:
    """The terms of each picture's captions."""
    return [[term for text in texts for term in terms(text)] for texts in table["captions"].to_pylist()]


def rarity(said: list[str], statistics: Statistics) -> float:
    """The mean over different terms."""
    different = set(said)
    return sum(idf(term, statistics) for term in different) / len(different) if different else float("nan")
