"""What was measured so far, one line a picture and score, written as it happens and read again after an interruption.

Every process of an evaluation has a file of its own, so that several may share a folder, or theirs be copied together.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..json_lines import append_lines, cut_to_whole_lines, damaged, read_lines
from ..scoring.score import Measurement

FOLDER = "measurements"

Key = tuple[str, int, str]  # a case, the number of its picture, a score


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What a score said of a picture, and of which file's bytes it said so."""

    case: str
    picture: int
    score: str  # with its reader
    digest: str
    value: float | None
    parts: Mapping[str, float]
    problem: str
    notes: str = ""
    turn: int = 1  # how often it was measured, so that the last word counts whichever process wrote it

    @property
    def key(self) -> Key:
        """What it is about."""
        return self.case, self.picture, self.score

    @property
    def measurement(self) -> Measurement:
        """What the score returned."""
        return Measurement(value=self.value, parts=self.parts, problem=self.problem, notes=self.notes)


def read_journal(out: Path) -> dict[Key, Entry]:
    """The last entry of each picture and score, of all processes; of two first ones, that with a number."""
    found: dict[Key, Entry] = {}
    for file in sorted((out / FOLDER).glob("*.jsonl")):
        for entry in _entries(file):
            if entry.key not in found or _rank(entry) >= _rank(found[entry.key]):
                found[entry.key] = entry
    return found


def _rank(entry: Entry) -> tuple[int, bool]:
    return entry.turn, entry.value is not None


def _entries(file: Path) -> Iterable[Entry]:
    return (_entry(line, file, number) for number, line in read_lines(file))


def _entry(line: Mapping[str, Any], file: Path, number: int) -> Entry:
    try:
        return Entry(**line)
    except TypeError as error:
        raise damaged(file, number, error) from error


class Journal:
    """One process's file, to which finished entries are appended; a line that was cut off is removed first."""

    def __init__(self, out: Path, process: str) -> None:
        self.file = out / FOLDER / f"{process}.jsonl"
        self.file.parent.mkdir(parents=True, exist_ok=True)
        if self.file.exists():
            cut_to_whole_lines(self.file)

    def append(self, entries: Iterable[Entry]) -> None:
        """Write entries and wait until they are on the disk."""
        append_lines(self.file, map(asdict, entries))
