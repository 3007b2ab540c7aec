"""Files of one JSON object a line, to which whole lines are appended; what a killed process left of one is cut off."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

BLOCK = 65536  # bytes; only a file's end is read for its last line


def append_lines(file: Path, objects: Iterable[Mapping[str, Any]]) -> None:
    """Write objects and wait until they are on the disk."""
    if lines := to_lines(objects):
        with file.open("a", encoding="utf-8", newline="\n") as opened:
            opened.write(lines)
            opened.flush()
            os.fsync(opened.fileno())


def to_lines(objects: Iterable[Mapping[str, Any]]) -> str:
    """The text of a file."""
    return "".join(json.dumps(each, ensure_ascii=False, allow_nan=False) + "\n" for each in objects)


def read_lines(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and object of every whole line; raises `ValueError` with a sentence that names a damaged one."""
    with file.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith("\n"):  # written by a process that was killed
                return
            try:
                found: object = json.loads(line)
            except ValueError as error:
                raise damaged(file, number, error) from error
            if not isinstance(found, dict):
                raise damaged(file, number, "it is no object")
            yield number, cast(dict[str, Any], found)


def damaged(file: Path, number: int, why: object) -> ValueError:
    """What is said of a line that cannot be read."""
    return ValueError(f"{file}, line {number} is damaged ({why}): delete that line, or the file")


def cut_to_whole_lines(file: Path) -> None:
    """Remove a last line without an end, so that the next one does not become part of it."""
    with file.open("rb+") as opened:
        size = opened.seek(0, os.SEEK_END)
        position, tail = size, b""
        while position and b"\n" not in tail:
            position = max(0, position - BLOCK)
            opened.seek(position)
            tail = opened.read(size - position)
        whole = position + tail.rfind(b"\n") + 1
        if whole != size:
            opened.truncate(whole)
