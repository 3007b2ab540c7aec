"""Captions for the pictures of a folder, one after the other; what is there already is not asked for again."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ...chat_server import ChatServerError
from .instructions import DIFFERENCE
from .pairs import groups_by_name, groups_of_folders, ordered_pairs
from .picture_file import pictures_in
from .records import Record, append_record, read_records, write_records
from .task import Task, Writer, file_of, kept, persons

MOST_FAILURES = 3  # of a server in a row, after which the job ends
NO_PAIRS = (
    "no two pictures in {} belong together; name them cat.source and cat.target, or cat_1 and cat_2, or give two "
    "folders with pictures of the same names"
)
KINDS_TOLD = "{} holds captions of another kind ({} in {}); choose another file for {} in {}"


@dataclass(frozen=True, kw_only=True)
class Job:
    """Pictures, who writes, and where it is written."""

    folder: Path
    out: Path  # the JSONL file
    writer: Writer
    targets: Path | None = None  # a second folder, with what the pictures of the first became
    writes_text_files: bool = False


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a job is, and the last caption."""

    done: int
    total: int
    record: Record
    is_new: bool


def caption_folder(job: Job) -> Iterator[Progress]:
    """Write what is missing; to cancel is to stop asking. A picture that fails has a line that says why.

    Raises `ValueError` with one sentence where nothing can be written, or where a server fails again and again: what is
    written stays, and the next run goes on there.
    """
    wish = job.writer.wish
    tasks = tasks_of(job.folder, job.targets, wish.kind)
    records = read_records(job.out)
    check_kind(job.out, records.values(), wish.kind, wish.language)
    failures = 0
    for number, task in enumerate(tasks, 1):
        old = records.get(task.key)
        try:
            record, failures = _record(job, task, old), 0
        except ChatServerError as error:
            record, failures = job.writer.failed(task, str(error), old), failures + 1
        if record != old:
            append_record(job.out, record)
        records[task.key] = record
        yield Progress(done=number, total=len(tasks), record=record, is_new=record != old)
        if failures == MOST_FAILURES:
            raise ChatServerError(f"{record.problem}. {failures} pictures in a row failed; run again to go on there")
    write_records(job.out, in_order(tasks, records.values()))


def tasks_of(folder: Path, targets: Path | None, kind: str) -> list[Task]:
    """The pictures, or ordered pairs of them; raises `ValueError` where there are none."""
    pictures = pictures_in(folder)
    if kind != DIFFERENCE:
        return [Task(picture) for picture in pictures]
    groups = groups_by_name(pictures) if targets is None else groups_of_folders(pictures, pictures_in(targets))
    if not groups:
        raise ValueError(NO_PAIRS.format(folder))
    return [Task(*pair) for pair in ordered_pairs(groups)]


def check_kind(out: Path, records: Iterable[Record], kind: str, language: str) -> None:
    """Refuse a file with captions of another kind or language, which would be lost one by one."""
    for record in records:
        if (record.kind, record.language) != (kind, language):
            raise ValueError(KINDS_TOLD.format(out.name, record.kind, record.language, kind, language))


def in_order(tasks: Iterable[Task], records: Iterable[Record]) -> list[Record]:
    """The records of a job's pictures, then those of pictures that are gone."""
    left = {record.key: record for record in records}
    wanted = [left.pop(task.key) for task in tasks]
    return [*wanted, *left.values()]


def _record(job: Job, task: Task, old: Record | None) -> Record:
    """The old record where it stands, a person's text where there is one, else what the model writes now."""
    if job.writes_text_files and (found := persons(task, old, job.writer)):
        return found
    record = job.writer.record(task, old)
    has_text = record.text and not record.problem
    return kept(record, file_of(task)) if job.writes_text_files and has_text else record
