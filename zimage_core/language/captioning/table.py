"""A folder's captions as a person goes through them, row by row, while a job may be writing them.

What a person writes or approves is never written over; what a person asks anew is written by the next run of the job.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

from . import text_file
from .caption import Language
from .job import check_kind, tasks_of
from .records import TO_BE_WRITTEN, WRITING, Key, Record, Records, approved, asked_anew, by_person, records_of
from .task import Task, file_of, kept

State = Literal["waiting", "failed", "written", "approved"]


class Row(NamedTuple):
    """A picture or pair, and its caption, empty as long as there is none."""

    task: Task
    record: Record

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

    def rows(self) -> list[Row]:
        """A row for each picture or pair, in their order; raises `ValueError` where there are none."""
        tasks = tasks_of(self.folder, self.targets, self.kind)
        found = self._records().all()
        return [Row(task, found.get(task.key) or self._empty(task)) for task in tasks]

    def text(self, row: Row) -> str:
        """The caption; where a person has written another one beside the picture since, that one."""
        found = text_file.persons_text(file_of(row.task), {row.record.text_file}) if row.record.text_file else None
        return row.record.text if found is None else found

    def edit(self, key: Key, text: str) -> Row:
        """Write a person's words, here and beside the picture; raises `ValueError` for none."""
        if not text.strip():
            raise ValueError("an empty caption is not kept; write one, or ask for another")
        return self._changed(key, lambda row: by_person(row.record, text.strip()))

    def approve(self, key: Key, is_approved: bool) -> Row:
        """Say that a caption is right, or take that back; raises `ValueError` where there is none."""
        return self._changed(key, self._approved if is_approved else _unapproved)

    def redo(self, key: Key) -> Row:
        """Let the next run write it with another seed, whoever wrote the last one."""
        return self._changed(key, self._asked_anew)

    def _approved(self, row: Row) -> Record:
        text = self.text(row)
        if not text:
            raise ValueError(f"{row.task.picture.name} has no caption yet that could be approved")
        return approved(row.record) if text == row.record.text else by_person(row.record, text)

    def _asked_anew(self, row: Row) -> Record:
        """The text that stands beside the picture now is the one to be replaced."""
        text = self.text(row)
        if text == row.record.text:
            return asked_anew(row.record)
        return asked_anew(replace(row.record, text=text, text_file=text_file.hash_of(text)))

    def _changed(self, key: Key, change: Callable[[Row], Record]) -> Row:
        with WRITING:
            records = self._records()
            task = next((task for task in tasks_of(self.folder, self.targets, self.kind) if task.key == key), None)
            if task is None:
                raise ValueError(f"there is no picture {' and '.join(filter(None, key))[:80]!r} in {self.folder.name}")
            if not self.out.exists():
                raise ValueError(f"no captions were written in {self.folder.name} yet; queue the node first")
            new = change(Row(task, records.get(key) or self._empty(task)))
            if self.writes_text_files and new.text and not new.problem:
                new = kept(new, file_of(task))
            records.add(new)
            return Row(task, new)

    def _empty(self, task: Task) -> Record:
        picture, target = task.key
        return Record(picture=picture, target=target, kind=self.kind, language=self.language, text="")

    def _records(self) -> Records:
        records = records_of(self.out)
        check_kind(self.out, records.all().values(), self.kind, self.language)
        return records


def _unapproved(row: Row) -> Record:
    return replace(row.record, approved=False)
