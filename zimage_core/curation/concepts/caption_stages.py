"""The two stages that read captions, a partition at a time: which phrases they use, of which concepts they speak.

Both are counted afterwards, one partition in memory at a time.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine import arrow, parquet, unless_stopped
from ..engine.libraries import daft, sparse
from ..engine.output import row_groups
from .matching import Lexicon, mentions
from .phrases import phrases


@dataclass(frozen=True)
class PhraseCounter:
    """In how many captions of a partition each phrase is."""

    listing: Path

    def __call__(self, partition: int) -> Any:
        """Phrases in the order of the alphabet."""
        found = Counter[str]()
        for text in unless_stopped(texts_of(self.listing, partition)["text"].to_pylist()):
            found.update(phrases(text))
        names = sorted(found)
        library = arrow()
        return library.table(
            {
                "phrase": library.array(names, library.string()),
                "captions": library.array([found[name] for name in names], library.int64()),
            }
        )


@dataclass(frozen=True)
class MentionFinder:
    """Of which concepts each caption of a partition speaks."""

    listing: Path
    lexicon: Lexicon | None  # None where only the stage's key is asked for
    ids: tuple[str, ...]  # of the concepts

    def __call__(self, partition: int) -> Any:
        """Place, text and concepts."""
        if self.lexicon is None:
            raise ValueError("no words were gathered yet")
        library, table = arrow(), texts_of(self.listing, partition)
        found = [mentions(text, self.lexicon) for text in unless_stopped(table["text"].to_pylist())]
        named = [[self.ids[number] for number in numbers] for numbers in found]
        return table.append_column("concepts", library.array(named, library.list_(library.string()))).append_column(
            "numbers", library.array(found, library.list_(library.int32()))
        )


def texts_of(listing: Path, partition: int) -> Any:
    """A partition's captions."""
    with parquet().ParquetFile(listing) as opened:
        return opened.read_row_group(partition)


def often_used(counts: Path, least: int) -> list[str]:
    """Phrases that are in at least so many captions of all partitions."""
    frame = daft().read_parquet(str(counts)).groupby("phrase").agg(daft().col("captions").sum())
    return sorted(row["phrase"] for row in frame.where(frame["captions"] >= least).select("phrase").iter_rows())


def counted_captions(found: Path, above: Any) -> tuple[int, NDArray[np.int64], NDArray[np.int64]]:
    """Captions in all; for each concept those that speak of it, and those that speak of it or anything below it."""
    count = above.shape[0]
    total, own, covered = 0, np.zeros(count, np.int64), np.zeros(count, np.int64)
    reach = with_selves(above)
    for table in row_groups(found, ["numbers"]):
        column = table["numbers"].combine_chunks()
        numbers = np.asarray(column.flatten())
        spoken = spoken_of(numbers, np.asarray(column.value_lengths()), count)
        own += np.bincount(numbers, minlength=count)
        covered += np.bincount((spoken @ reach).nonzero()[1], minlength=count)
        total += table.num_rows
    return total, own, covered


def spoken_of(numbers: NDArray[np.integer[Any]], lengths: NDArray[np.integer[Any]], concepts: int) -> Any:
    """(captions, concepts), True where one speaks of the other; `lengths` tells how many numbers each caption has."""
    pointers = np.append(0, np.cumsum(lengths))
    return sparse().csr_array((np.ones(len(numbers), bool), numbers, pointers), (len(lengths), concepts))


def with_selves(above: Any) -> Any:
    """(n n), True from each to itself and all above it."""
    return above + sparse().identity(above.shape[0], dtype=bool, format="csr")


def rarity(covered: NDArray[np.int64], captions: int) -> NDArray[np.float64]:
    """BM25's inverse document frequency, as Lucene has it: 0 for what all captions speak of, more for less."""
    return np.log1p((captions - covered + 0.5) / (covered + 0.5))
