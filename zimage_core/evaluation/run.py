"""What an evaluation is of: written into its folder first, so that only the same one goes on there."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..atomic_file import write_text
from ..scoring.score import Score
from .case import Case

FILE = "run.json"


@dataclass(frozen=True, kw_only=True)
class Column:
    """A score as a report tells of it."""

    name: str
    reader: str
    higher_is_better: bool

    @property
    def title(self) -> str:
        """Name and reader."""
        return f"{self.name} ({self.reader})"


@dataclass(frozen=True, kw_only=True)
class Run:
    """Everything that decides an evaluation's numbers."""

    suite: str
    title: str
    source: str  # where the pictures are from: "drawn by nano, 20 steps"
    name: str  # what its numbers stand under
    as_authors: bool
    prompts: int
    pictures: int
    first_seed: int
    last_seed: int
    fingerprint: str  # of prompts, seeds and places
    columns: tuple[Column, ...] = field(default_factory=tuple[Column, ...])


@dataclass(frozen=True, kw_only=True)
class Shard:
    """A part of the cases, every n-th, for one of several processes or machines."""

    index: int = 1  # from 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise ValueError(f"there is no part {self.index} of {self.count}")

    @property
    def name(self) -> str:
        """As the file of its measurements is called."""
        return f"{self.index}-of-{self.count}"

    def part_of(self, cases: Sequence[Case]) -> list[Case]:
        """Its cases."""
        return list(cases[self.index - 1 :: self.count])


def columns_of(scores: Iterable[Score]) -> tuple[Column, ...]:
    """The columns of scores, no two of which may have the same title."""
    columns = tuple(
        Column(name=score.name, reader=score.reader, higher_is_better=score.higher_is_better) for score in scores
    )
    if len({column.title for column in columns}) < len(columns):
        raise ValueError(f"two scores are both called {', '.join(column.title for column in columns)}")
    return columns


def describe(
    *, suite: str, title: str, source: str, name: str, as_authors: bool, cases: Sequence[Case], scores: Sequence[Score]
) -> Run:
    """The run of scores over cases."""
    if not cases:
        raise ValueError(f"{title} has no prompts here: choose the folder with the authors' prompt files")
    seeds = [seed for case in cases for seed in case.seeds]
    return Run(
        suite=suite,
        title=title,
        source=source,
        name=name,
        as_authors=as_authors,
        prompts=len(cases),
        pictures=len(seeds),
        first_seed=min(seeds),
        last_seed=max(seeds),
        fingerprint=fingerprint(cases),
        columns=columns_of(scores),
    )


def fingerprint(cases: Sequence[Case]) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of all that is asked."""
    known = hashlib.sha256()
    for case in cases:
        known.update(json.dumps(asdict(case), sort_keys=True, default=str).encode() + b"\n")
    return known.hexdigest()[:16]


def enter(out: Path, run: Run) -> None:
    """Begin a run in a folder, or go on with it. Raises ValueError if the folder holds another."""
    file, wanted = out / FILE, json.loads(json.dumps(asdict(run)))
    if file.exists():
        try:
            found = json.loads(file.read_text("utf-8"))
        except ValueError as error:
            raise ValueError(f"{file} is damaged ({error}): choose another --out") from error
        for name, value in wanted.items():
            if found.get(name) != value:
                raise ValueError(
                    f"{out} holds another evaluation, whose {name} is {found.get(name)} and not {value}: "
                    "choose another --out"
                )
        return
    out.mkdir(parents=True, exist_ok=True)
    write_text(file, json.dumps(wanted, ensure_ascii=False, indent=1) + "\n")
