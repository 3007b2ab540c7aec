"""The captions of a folder as a JSONL file: a line for each, with all that decided its words.

A line is appended when its caption is there, so a process that is killed loses the one it was at. At the end the file
is written once more, with one line for each picture in their order, so that however often a run was stopped the file is
the same.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ...atomic_file import write_text
from ...json_lines import append_lines, cut_to_whole_lines, damaged, read_lines, to_lines

TO_BE_WRITTEN = "to be written again"

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


def by_person(record: Record, text: str) -> Record:
    """The caption in a person's words."""
    return replace(record, text=text, problem="", by="person", approved=True)


def asked_anew(record: Record) -> Record:
    """A caption that the next run writes with the next seed, whoever wrote the last one."""
    return replace(record, by="model", approved=False, problem=TO_BE_WRITTEN, redone=record.redone + 1)
