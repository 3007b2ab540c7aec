"""The pictures below a folder, in the order of their paths, as a file of row groups: the input of a profile.

Every folder is visited once, links to folders included, so no loop is walked twice.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ...data.picture_files import is_picture_name
from ..engine import write_listing


class Found(NamedTuple):
    """A file that is named as a picture."""

    path: str
    size: int = 0  # bytes
    modified: int = 0  # nanoseconds
    problem: str = ""  # why it cannot be opened, as far as its entry tells


def walk(folder: Path, *, is_deep: bool = True) -> Iterator[Found]:
    """Pictures in a folder, and in those below if `is_deep`; hidden files and folders are left out, what cannot be
    entered is told.
    """
    waiting, visited = [str(folder)], set[tuple[int, int]]()
    while waiting:
        current = waiting.pop()
        try:
            state = Path(current).stat()
            entries = sorted(os.scandir(current), key=lambda entry: entry.name)
        except OSError as error:
            yield Found(readable(current), problem=f"unreadable: a folder that cannot be entered ({error.strerror})")
            continue
        if (state.st_dev, state.st_ino) in visited:
            continue
        visited.add((state.st_dev, state.st_ino))
        shown = [entry for entry in entries if not entry.name.startswith(".")]
        folders = [entry.path for entry in shown if is_folder(entry)]
        yield from (found(entry) for entry in shown if is_picture_name(entry.name) and not is_folder(entry))
        waiting += reversed(folders) if is_deep else ()


def is_folder(entry: "os.DirEntry[str]") -> bool:
    """Whether an entry is a folder or leads to one; a link in a loop is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def found(entry: "os.DirEntry[str]") -> Found:
    """What a folder tells of one of its files, without opening it."""
    path = readable(entry.path)
    if path != entry.path:
        return Found(path, problem="unreadable: its name is not valid UTF-8; rename it")
    try:
        state = entry.stat()
    except OSError as error:
        return Found(path, problem=f"unreadable: {error.strerror}")
    return Found(path, state.st_size, state.st_mtime_ns)


def readable(path: str) -> str:
    """A path that can be written as text; bytes that are no UTF-8 are shown as such."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def list_folder(folder: Path, listing: Path, rows: int) -> str:
    """Write what `walk` finds, `rows` in a row group, and return the SHA-256 of it; one group is in memory."""
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}: give one with pictures")
    columns = (("path", "string"), ("size", "int64"), ("modified", "int64"), ("problem", "string"))
    return write_listing(walk(folder.absolute()), columns, listing, rows)
