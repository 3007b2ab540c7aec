"""The profile of a folder's pictures in memory: a row for each, by the measures of `profiling`."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..profiling import Column, Found, LearnedColumn
from ..profiling.folder_walk import walk
from ..profiling.learned import learn
from ..profiling.measured import row_of
from ..profiling.opened import MOST_PIXELS
from ..profiling.thresholds import Proposal, proposals_of_rows

REMEMBERED = 4096  # rows, of about 2 kB


@dataclass(frozen=True)
class Profile:
    """Rows in the order of their paths, and the thresholds that their distribution proposes."""

    rows: Sequence[Mapping[str, Any]]
    proposals: Sequence[Proposal]
    learned: Sequence[Column] = ()

    def problems(self) -> Mapping[str, int]:
        """How many files cannot be read, by the kind of damage."""
        kinds = (row["problem"].partition(":")[0] for row in self.rows if row["problem"])
        return dict(sorted(Counter[str](kinds).items()))


def pictures_of(folder: Path) -> list[Found]:
    """The files in a folder that are named as pictures; those of folders inside it are not among them."""
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}: give one with pictures")
    return [each for each in walk(folder, is_deep=False)]


@lru_cache(REMEMBERED)
def row_of_picture(found: Found) -> Mapping[str, Any]:
    """The row of one file, measured once for each state of it: a stopped run goes on, a changed folder is quick."""
    return row_of(found, MOST_PIXELS, keep_dates=False)


def scored_row(row: Mapping[str, Any], learned: LearnedColumn, captions: Sequence[str]) -> dict[str, Any]:
    """A row with a column that a model gives; None stands in it where there is no number."""
    added = {**row, learned.name: None}
    learn([added], [learned], MOST_PIXELS, [captions])
    return added


def profile_of(rows: Iterable[Mapping[str, Any]], learned: Sequence[Column] = ()) -> Profile:
    """Of rows that are measured, with the columns that models gave them."""
    known = tuple(rows)
    return Profile(known, proposals_of_rows(known, learned), learned)
