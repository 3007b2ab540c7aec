"""Captions for the pictures of a folder, one after the other; what is there already is not asked for again."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ...chat_server import ChatServerError
from .instructions import DIFFERENCE
from .pairs import groups_by_name, groups_of_folders, ordered_pairs
from .picture_file import pictures_in
from .records import MOST_FILES, WRITING, Key, Record, Records, records_of
from .task import Task, Writer, file_of, kept, persons

MOST_FAILURES = 3  # of a server in a row, after which the job ends
NO_PAIRS = (
    "no two pictures in {} belong together; name them cat.source and cat.target, or cat_1 and cat_2, or give two "
    "folders with pictures of the same names"
)
SHARED = "{} and {} would share the text file {}; rename one of them"
KINDS_TOLD = "{} holds captions of another kind ({} in {}); choose another file for {} in {}"


@dataclass(frozen=True, kw_only=True)
class Job:
    """Pictures, who writes, and where it is written."""

    folder: Path
    out: Path  # the JSONL file
    writer: Writer
    targets: Path | None = None  # a second folder, with what the pictures of the first became
    writes_text_files: bool = False
    earlier: tuple[Path, ...] = ()  # other files of this folder's captions, whose texts beside pictures are replaced
    only: frozenset[str] | None = None  # names of the pictures that are captioned; None means all


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a job is, and the last caption."""

    done: int
    total: int
    record: Record
    is_new: bool


def caption_folder(job: Job) -> Iterator[Progress]:
    """Write what is missing; to cancel is to stop asking. A picture that fails has a line that says why.

    A person may edit the file meanwhile, as `Table` does, and has the last word. Raises `ValueError` with one sentence
    where nothing can be written, or where a server fails again and again: what is written stays, and the next run goes
    on there.
    """
    wish = job.writer.wish
    every = tasks_of(job.folder, job.targets, wish.kind)
    tasks = [task for task in every if job.only is None or task.picture.name in job.only]
    records = records_of(job.out)
    check_kind(job.out, records.all().values(), wish.kind, wish.language)
    if job.writes_text_files:
        check_text_files(tasks)
    models = texts_of_models(job.earlier) if job.writes_text_files else {}
    failures = 0
    for number, task in enumerate(tasks, 1):
        old, known, problem = records.get(task.key), models.get(task.key, ()), ""
        try:
            written, failures = _written(job, task, old, known), 0
        except ChatServerError as error:
            problem = str(error)
            written, failures = job.writer.failed(task, problem, old), failures + 1
        record = _settled(job, task, old, written, records, known)
        yield Progress(done=number, total=len(tasks), record=record, is_new=record != old)
        if failures == MOST_FAILURES:
            raise ChatServerError(f"{problem}. {failures} pictures in a row failed; run again to go on there")
    records.rewrite(task.key for task in every)


def tasks_of(folder: Path, targets: Path | None, kind: str) -> list[Task]:
    """The pictures, or ordered pairs of them; raises `ValueError` where there are none."""
    became = pictures_in(targets) if targets and kind == DIFFERENCE else None
    return tasks_among(folder, pictures_in(folder), became, kind)


def tasks_among(folder: Path, pictures: list[Path], targets: list[Path] | None, kind: str) -> list[Task]:
    """Those of a folder's pictures, and of what they became in another one."""
    if kind != DIFFERENCE:
        return [Task(picture) for picture in pictures]
    groups = groups_by_name(pictures) if targets is None else groups_of_folders(pictures, targets)
    if not groups:
        raise ValueError(NO_PAIRS.format(folder))
    return [Task(*pair) for pair in ordered_pairs(groups)]


def check_kind(out: Path, records: Iterable[Record], kind: str, language: str) -> None:
    """Refuse a file with captions of another kind or language, which would be lost one by one."""
    for record in records:
        if (record.kind, record.language) != (kind, language):
            raise ValueError(KINDS_TOLD.format(out.name, record.kind, record.language, kind, language))


def check_text_files(tasks: Iterable[Task]) -> None:
    """Refuse pictures whose captions would stand in one text file, as those of cat.png and cat.jpg."""
    for problem in shared_text_files(tasks).values():
        raise ValueError(problem)


def shared_text_files(tasks: Iterable[Task]) -> dict[Key, str]:
    """A sentence for each of the pictures whose captions would stand in one text file."""
    found: defaultdict[Path, list[Task]] = defaultdict(list)
    for task in tasks:
        found[file_of(task)].append(task)
    return {
        task.key: SHARED.format(each[0].picture.name, each[1].picture.name, file.name)
        for file, each in found.items()
        if len(each) > 1
        for task in each
    }


def texts_of_models(files: Iterable[Path]) -> Mapping[Key, Collection[str]]:
    """Hashes of the texts that models wrote beside pictures and nobody approved, as the records in files tell."""
    return _texts_of_models(tuple((file, records_of(file).state) for file in files))


@lru_cache(MOST_FILES)
def _texts_of_models(files: tuple[tuple[Path, tuple[int, ...]], ...]) -> Mapping[Key, Collection[str]]:
    found: defaultdict[Key, set[str]] = defaultdict(set)
    for file, _ in files:
        for key, record in records_of(file).all().items():
            if record.by == "model" and not record.approved and record.text_file:
                found[key].add(record.text_file)
    return found


def _written(job: Job, task: Task, old: Record | None, models: Collection[str]) -> Record:
    """The old record where it stands, a person's text where there is one, else what the model writes now."""
    if job.writes_text_files and (found := persons(task, old, job.writer, models)):
        return found
    return job.writer.record(task, old)


def _settled(
    job: Job, task: Task, old: Record | None, written: Record, records: Records, models: Collection[str]
) -> Record:
    """What stands in the file then: what was written, or what a person did to it while the model was at it."""
    with WRITING:
        now = records.get(task.key)
        if now and now != old:
            return now
        record = _with_text_file(job, task, old, written, models) if job.writes_text_files else written
        if record != now:
            records.add(record)
        return record


def _with_text_file(job: Job, task: Task, old: Record | None, written: Record, models: Collection[str]) -> Record:
    """The record once its text stands beside the picture, unless a person wrote there."""
    if found := persons(task, old, job.writer, models):
        return found
    return kept(written, file_of(task)) if written.text and not written.problem else written
