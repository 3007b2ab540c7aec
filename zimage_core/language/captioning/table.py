"""A folder's captions as a person goes through them, row by row, while a job may be writing them.

What a person writes or approves is never written over; what a person asks anew is written by the next run of the job.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

from .caption import Language
from .instructions import DIFFERENCE
from .job import check_kind, texts_of_models
from .listing import Entry, entries_of
from .records import TO_BE_WRITTEN, WRITING, Key, Record, Records, approved, asked_anew, by_person, records_of
from .task import Task, file_of, kept, told_beside

State = Literal["waiting", "failed", "written", "approved"]


class Refused(ValueError):
    """What a person wants to do to a row cannot be done to the one that stands there now."""


class Row(NamedTuple):
    """A picture or pair, and its caption, empty as long as there is none."""

    task: Task
    record: Record
    refusal: str = ""  # why nothing can be done to it

    @property
    def state(self) -> State:
        """How far it is; "failed" has no text, or one with which something is wrong."""
        if self.record.problem:
            return "waiting" if self.record.problem == TO_BE_WRITTEN else "failed"
        if not self.record.text:
            return "waiting"
        return "approved" if self.record.approved else "written"


@dataclass(frozen=True, kw_only=True)
class Table:
    """The captions of one kind and language that a job writes into `out`."""

    folder: Path
    out: Path
    kind: str
    language: Language
    targets: Path | None = None
    writes_text_files: bool = False
    earlier: tuple[Path, ...] = ()  # other files of this folder's captions, as a job has them
    only: frozenset[str] | None = None  # names of the pictures that are shown; None means all, as of a job

    def rows(self) -> list[Row]:
        """A row for each picture or pair, in their order; raises `ValueError` where there are none.

        Where a person has written beside the picture, those words are shown. A text file that cannot be read, or that
        two pictures would share, is the row's problem.
        """
        return self._rows(self._entries())

    def edit(self, key: Key, text: str, shown: str) -> Row:
        """Write a person's words, here and beside the picture, in the place of those that the row showed.

        Raises `ValueError` for none. Every change raises `Refused` where a person has written other words since, or
        where what stands beside the picture cannot be kept.
        """
        if not text.strip():
            raise ValueError("an empty caption is not kept; write one, or ask for another")
        return self._changed(key, {shown, text.strip()}, lambda row: by_person(row.record, text.strip()))

    def approve(self, key: Key, is_approved: bool, shown: str) -> Row:
        """Say that a caption is right, or take that back; raises `ValueError` where there is none."""
        return self._changed(key, {shown}, _approved if is_approved else _unapproved)

    def redo(self, key: Key, shown: str) -> Row:
        """Let the next run write it with another seed, whoever wrote the last one."""
        return self._changed(key, {shown}, lambda row: asked_anew(row.record))

    def _entries(self) -> tuple[Entry, ...]:
        every = entries_of(self.folder, self.targets if self.kind == DIFFERENCE else None, self.kind)
        return tuple(each for each in every if self.only is None or each.task.picture.name in self.only)

    def _rows(self, entries: Iterable[Entry]) -> list[Row]:
        """The rows of some entries; only their own text files are read."""
        found = self._records().all()
        models = texts_of_models(self.earlier) if self.writes_text_files else {}
        return [self._row(entry, found.get(entry.key), models) for entry in entries]

    def _row(self, entry: Entry, record: Record | None, models: Mapping[Key, Collection[str]]) -> Row:
        row = Row(entry.task, record or self._empty(entry.key))
        if not self.writes_text_files:
            return row
        if entry.refusal:
            return _out_of_reach(row, entry.refusal)
        return _as_beside(row, entry.file, models.get(entry.key, ()))

    def _changed(self, key: Key, known: Collection[str], change: Callable[[Row], Record]) -> Row:
        with WRITING:
            row = next(iter(self._rows(entry for entry in self._entries() if entry.key == key)), None)
            if row is None:
                raise ValueError(f"there is no picture {' and '.join(filter(None, key))[:80]!r} in {self.folder.name}")
            if row.refusal:
                raise Refused(row.refusal)
            if not self.out.exists() and not row.record.text:
                raise Refused(f"no captions were written in {self.folder.name} yet; queue the node first")
            if row.record.by == "person" and row.record.text not in known:
                words = row.record.text
                raise Refused(f'other words were written there meanwhile: "{words}"; look at them, then do it again')
            new = change(row)
            if self.writes_text_files and new.text and not new.problem:
                new = kept(new, file_of(row.task))
            self._records().add(new)
            return Row(row.task, new)

    def _empty(self, key: Key) -> Record:
        picture, target = key
        return Record(picture=picture, target=target, kind=self.kind, language=self.language, text="")

    def _records(self) -> Records:
        records = records_of(self.out)
        check_kind(self.out, records.all().values(), self.kind, self.language)
        return records


def _as_beside(row: Row, file: Path, models: Collection[str]) -> Row:
    try:
        found = told_beside(row.record, file, models)
        return Row(row.task, found) if found else row
    except ValueError as error:
        return _out_of_reach(row, str(error))


def _out_of_reach(row: Row, why: str) -> Row:
    return Row(row.task, replace(row.record, problem=why), why)


def _approved(row: Row) -> Record:
    if not row.record.text:
        raise ValueError(f"{row.task.picture.name} has no caption yet that could be approved")
    return approved(row.record)


def _unapproved(row: Row) -> Record:
    return replace(row.record, approved=False)
