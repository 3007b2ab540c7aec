"""What a folder's captions are about, as a table lists it: worked out once for the names of its pictures."""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from .job import shared_text_files, tasks_among
from .picture_file import in_order, picture_names
from .records import Key
from .task import Task, file_of

MOST_FOLDERS = 4  # whose lists are kept in memory


class Entry(NamedTuple):
    """A picture or pair, and where its text would stand."""

    key: Key
    task: Task
    file: Path
    refusal: str  # why no text can stand there; empty where one can


def entries_of(folder: Path, targets: Path | None, kind: str) -> tuple[Entry, ...]:
    """In their order; raises `ValueError` where there are none."""
    return _entries(folder, targets, kind, picture_names(folder), picture_names(targets) if targets else ())


@lru_cache(MOST_FOLDERS)
def _entries(
    folder: Path, targets: Path | None, kind: str, names: tuple[str, ...], target_names: tuple[str, ...]
) -> tuple[Entry, ...]:
    became = None if targets is None else in_order(targets, target_names)
    tasks = tasks_among(folder, in_order(folder, names), became, kind)
    shared = shared_text_files(tasks)
    return tuple(Entry(task.key, task, file_of(task), shared.get(task.key, "")) for task in tasks)
