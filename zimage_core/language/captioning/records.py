"""The captions of a folder as a JSONL file: a line for each, with all that decided its words.

A line is appended when its caption is there, so a process that is killed loses the one it was at. At the end the file
is written once more, with one line for each picture in their order, so that however often a run was stopped the file is
the same.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from threading import RLock
from typing import Any, Literal

from ...atomic_file import write_text
from ...json_lines import append_lines, cut_to_whole_lines, damaged, read_lines, to_lines

TO_BE_WRITTEN = "to be written again"
MOST_FILES = 16  # whose records are kept in memory
WRITING = RLock()  # held while a file is looked at and changed: by a job, and by a person who edits meanwhile

Key = tuple[str, str]  # a picture's name, and that of the picture it becomes, or ""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One caption."""

    picture: str  # the file's name in its folder
    target: str = ""  # of a difference: the picture that the first one becomes
    kind: str
    language: str
    text: str
    problem: str = ""  # what is wrong with the text, or why there is none
    note: str = ""
    by: Literal["model", "person"] = "model"  # whose words; a person's are never replaced
    approved: bool = False
    back_end: str = ""
    template: str = ""
    seed: int = 0
    redone: int = 0  # how often a person asked for other words; each time by the next seed
    lettering: list[str] = field(default_factory=list[str])  # what was read in the picture
    hash: str = ""  # of everything that decided the words: pictures, template, model, seed, facts
    text_file: str = ""  # hash of what was last written beside the picture; another text there is a person's

    @property
    def key(self) -> Key:
        """What it is about."""
        return self.picture, self.target

    @property
    def is_wanted_still(self) -> bool:
        """Whether the next run asks for it again."""
        return self.by == "model" and bool(self.problem)


def read_records(file: Path) -> dict[Key, Record]:
    """The last line of every picture; raises `ValueError` with one sentence for a file that is none of ours."""
    found: dict[Key, Record] = {}
    for number, line in read_lines(file) if file.exists() else ():
        record = _of(line, file, number)
        found.pop(record.key, None)
        found[record.key] = record
    return found


def _of(line: dict[str, Any], file: Path, number: int) -> Record:
    for name in ("picture", "text"):
        if not isinstance(line.get(name), str):
            raise damaged(file, number, f"it has no {name}")
    try:
        return Record(**line)
    except TypeError as error:
        raise damaged(file, number, error) from error


def append_record(file: Path, record: Record) -> None:
    """Write one more line and wait until it is on the disk."""
    if file.exists():
        cut_to_whole_lines(file)
    append_lines(file, [asdict(record)])


def write_records(file: Path, records: Iterable[Record]) -> None:
    """The whole file, complete or not at all."""
    write_text(file, to_lines(map(asdict, records)))


@lru_cache(MOST_FILES)
def records_of(file: Path) -> "Records":
    """The records of a file, the same object for a job and for a table that is looked at meanwhile."""
    return Records(file)


class Records:
    """The records of a file, read again where another process has changed it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._found: dict[Key, Record] = {}
        self._state: tuple[int, ...] = ()

    def get(self, key: Key) -> Record | None:
        """The record of a picture or pair; raises `ValueError` for a file that is none of ours."""
        return self._current().get(key)

    def all(self) -> dict[Key, Record]:
        """Every record; raises `ValueError` for a file that is none of ours."""
        with WRITING:
            return dict(self._current())

    @property
    def state(self) -> tuple[int, ...]:
        """Another one after each change; raises `ValueError` for a file that is none of ours."""
        self._current()
        return self._state

    def add(self, record: Record) -> None:
        """One more line, in the place of an earlier one of the same key."""
        with WRITING:
            found = self._current()
            append_record(self.file, record)
            found[record.key] = record
            self._state = self._seen()

    def rewrite(self, keys: Iterable[Key]) -> None:
        """The whole file: the records of these keys in their order, then those of pictures that are gone."""
        with WRITING:
            left = self.all()
            wanted = [left.pop(key) for key in keys if key in left]
            write_records(self.file, [*wanted, *left.values()])

    def _current(self) -> dict[Key, Record]:
        with WRITING:
            if (state := self._seen()) != self._state:
                self._found, self._state = read_records(self.file), state
            return self._found

    def _seen(self) -> tuple[int, ...]:
        try:
            stat = self.file.stat()
        except FileNotFoundError:
            return ()
        return stat.st_mtime_ns, stat.st_size, stat.st_ino


def by_person(record: Record, text: str) -> Record:
    """The caption in a person's words."""
    return replace(record, text=text, problem="", by="person", approved=True)


def approved(record: Record) -> Record:
    """A caption that a person finds right, whatever was wrong with it; it stays until it is asked anew."""
    return replace(record, approved=True, problem="")


def asked_anew(record: Record) -> Record:
    """A caption that the next run writes with the next seed, whoever wrote the last one."""
    return replace(record, by="model", approved=False, problem=TO_BE_WRITTEN, redone=record.redone + 1)
