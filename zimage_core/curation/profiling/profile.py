"""The stage that measures a folder: listing -> one row a picture, damaged ones with a reason."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import PIL

from ..engine import Stage, arrow, parquet, unless_stopped
from .columns import COLUMNS, Column, schema
from .folder_walk import Found, list_folder
from .known import LEARNED, Known, known_from
from .learned import LearnedColumn, learn
from .listed_captions import captions_in, list_captions
from .measured import row_of
from .opened import MOST_PIXELS
from .thresholds import proposals

VERSION = 3
ROWS = 64  # pictures in a partition


@dataclass(frozen=True, kw_only=True)
class ProfileParameters:
    """What a person chooses."""

    most_pixels: int = MOST_PIXELS  # of a picture that is decoded
    keep_dates: bool = False  # EXIF's, which tell when somebody was where


@dataclass(frozen=True)
class Listings:
    """Files that the stage reads, for the caller to remove: the pictures, and their captions where those are read."""

    pictures: Path
    captions: Path


def profile_stage(
    folder: Path,
    listings: Listings,
    parameters: ProfileParameters,
    learned: Sequence[LearnedColumn] = (),
    earlier: Path | None = None,
) -> Stage:
    """The profile of a folder's pictures; what `earlier`, a profile of the same ones, knows is taken from there."""
    inputs = list_folder(folder, listings.pictures, ROWS)
    with parquet().ParquetFile(listings.pictures) as opened:
        partitions: int = opened.num_row_groups
        pictures: int = opened.metadata.num_rows
    if not pictures:
        raise ValueError(f"{folder} holds no pictures, nor do folders in it: give one that does")
    reads_captions = any(each.reads_captions for each in learned)
    said = list_captions(listings.pictures, listings.captions, ROWS) if reads_captions else ""
    plain = {
        **asdict(parameters),
        "folder": str(folder.absolute()),
        "Pillow": PIL.__version__,
        "numpy": np.__version__,
    }
    identities = {
        each.name: [each.column.source, each.identity, said if each.reads_captions else ""] for each in learned
    }
    return Stage(
        name="profile",
        version=VERSION,
        inputs=inputs,
        parameters={**plain, LEARNED: identities} if learned else plain,
        partitions=partitions,
        work=Profiler(listings, parameters, learned, known_from(earlier, VERSION, inputs, plain, identities)),
        summarize=partial(summary_of, learned=[each.column for each in learned]),
    )


@dataclass(frozen=True)
class Profiler:
    """Measures the pictures of a partition, few in memory at a time."""

    listings: Listings
    parameters: ProfileParameters
    learned: Sequence[LearnedColumn]
    known: Known | None

    def __call__(self, partition: int) -> Any:
        """Its rows."""
        rows = self.known.rows(partition) if self.known else self._measured(partition)
        missing = [each for each in self.learned if not self.known or each.name not in self.known.learned]
        if missing:
            reads_captions = any(each.reads_captions for each in missing)
            captions = captions_in(self.listings.captions, partition) if reads_captions else ()
            learn(rows, missing, self.parameters.most_pixels, captions)
        added = [each.column for each in self.learned]
        columns = {each.name: [row.get(each.name) for row in rows] for each in (*COLUMNS, *added)}
        return arrow().table(columns, schema=schema(added))

    def _measured(self, partition: int) -> list[dict[str, Any]]:
        with parquet().ParquetFile(self.listings.pictures) as opened:
            listed = opened.read_row_group(partition).to_pylist()
        options = self.parameters
        found = (Found(**each) for each in unless_stopped(listed))
        return [row_of(each, options.most_pixels, keep_dates=options.keep_dates) for each in found]


def summary_of(files: list[Path], learned: Sequence[Column] = ()) -> Mapping[str, Any]:
    """Pictures, problems by kind, and the proposed thresholds, for the output's metadata."""
    problems, pictures = Counter[str](), 0
    for file in files:
        for problem in parquet().read_table(file, columns=["problem"])["problem"].to_pylist():
            pictures += 1
            if problem:
                problems[problem.partition(":")[0]] += 1
    return {
        "pictures": pictures,
        "problems": dict(sorted(problems.items())),
        "proposals": [asdict(each) for each in proposals(files, learned)],
    }
