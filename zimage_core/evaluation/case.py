"""What a suite asks for: its prompts, the pictures of each and where they lie, as frozen cases.

One case is one prompt. Its pictures lie where the suite's authors put theirs, so that pictures of others are scored
here and ours are scored by the authors' programs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..scoring.lettering import LetteringRule
from ..scoring.score import Request
from .totals import MEAN, Totals

Reads = Literal["lettering", "objects", "questions", "impression", "scene", "diversity", "answer", "style"]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where one picture lies, below the folder of pictures."""

    file: str  # "CVTG/2/17.png"
    others: tuple[str, ...] = ()  # further names it is found under, but not written to
    tile: int | None = None  # 0 to 3, row by row, of a file that shows four pictures
    black_is_missing: bool = False  # the authors fill the place of a picture that was not drawn with black


@dataclass(frozen=True, kw_only=True)
class Case:
    """One prompt, what its pictures are measured against, and a seed and a place for each."""

    id: str
    prompt: str
    request: Request
    seeds: tuple[int, ...]
    places: tuple[Place, ...]
    group: str = ""  # the row of the suite's table that it counts for: "2 regions"

    def __post_init__(self) -> None:
        if not self.places or len(self.seeds) != len(self.places):
            raise ValueError(f"{self.id} has {len(self.seeds)} seeds for {len(self.places)} pictures")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How the prompts of a suite are read."""

    name: str = "zimage"  # of the model, where a layout has a folder for each
    first_seed: int = 0
    as_authors: bool = True  # with the slips of the authors' program, for figures beside published ones

    def seeds(self, index: int, n: int) -> tuple[int, ...]:
        """Seeds of the n pictures of a suite's prompt; no two pictures of a suite share one."""
        first = self.first_seed + index * n
        return tuple(range(first, first + n))


@dataclass(frozen=True, kw_only=True)
class Published:
    """A figure somebody printed, with its reader: another reader's figure is another column."""

    model: str
    value: float  # as a part of 1
    metric: str
    reader: str
    source: str
    group: str = ""


@dataclass(frozen=True, kw_only=True)
class Lettering:
    """The rules by which a suite's lettering is counted."""

    as_authors: tuple[LetteringRule, ...] = ()
    corrected: tuple[LetteringRule, ...] = ()


def spaced(cases: Sequence[Case], most: int | None) -> list[Case]:
    """At most so many cases, evenly spaced, so that all groups are among them; all of them without a limit."""
    n = min(most or len(cases), len(cases))
    return [cases[index * len(cases) // n] for index in range(n)]


def no_files(cases: Sequence[Case]) -> Mapping[str, str]:
    """Nothing but the pictures."""
    return {}


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A suite of prompts under the name the command line takes."""

    name: str
    title: str
    reads: Reads  # what a score of its pictures has to read in them
    read: Callable[[Path, Reading], list[Case]]  # of the folder with the authors' prompt files
    lettering: Lettering = field(default_factory=Lettering)
    totals: Totals = MEAN  # how the numbers of pictures become one
    pooled: Mapping[str, Totals] = field(default_factory=dict[str, Totals])  # the same of certain scores, by name
    published: tuple[Published, ...] = ()
    beside: Callable[[Sequence[Case]], Mapping[str, str]] = no_files  # texts that the authors' programs look for

    def totals_of(self, score: str) -> Totals:
        """How the numbers of a score of this name become one."""
        return self.pooled.get(score, self.totals)


def both_releases(
    metric: str, reader: str, *, base: float, turbo: float, group: str = "", by: str = "the authors, arXiv 2511.22699"
) -> tuple[Published, Published]:
    """The published figures of Z-Image and Z-Image-Turbo."""
    rows = (("Z-Image", base), ("Z-Image-Turbo", turbo))
    one, other = (
        Published(model=model, value=value, metric=metric, reader=reader, source=by, group=group)
        for model, value in rows
    )
    return one, other
