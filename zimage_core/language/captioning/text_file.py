"""Captions beside their pictures, as trainers read them: cat.txt beside cat.png. What a person wrote there stays."""

import hashlib
import stat
import time
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from ...atomic_file import write_text
from ...regular_file import irregularity

MOST_BYTES = 1 << 20  # of a caption that is read
MOST_REMEMBERED, LONG = 1 << 15, 1 << 13  # texts that are kept in memory, and bytes of one that is not
SETTLED = 2_000_000_000  # nanoseconds after which another change has another time


class Words(NamedTuple):
    """A text as it stands in a file, and its hash."""

    text: str
    hash: str


def text_file(picture: Path, target: Path | None = None) -> Path:
    """Where a caption stands; that of a difference tells both pictures."""
    return picture.with_suffix(".txt") if target is None else picture.with_name(f"{picture.stem}.to.{target.stem}.txt")


def hash_of(text: str) -> str:
    """The first 16 hexadecimal digits of a text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def persons_text(file: Path, written: Collection[str]) -> str | None:
    """What a person wrote: a text that is none of those whose hashes are `written`. None where there are no words.

    Raises `ValueError` with one sentence for what cannot be read as text, which is a person's, too.
    """
    found = _words_now(file)
    return found.text if found and found.hash not in written and found.text.strip() else None


def _words_now(file: Path) -> Words | None:
    """The words of a file, read again where it has changed."""
    try:
        seen = file.stat()
    except OSError:
        seen = None
    if seen is None or not stat.S_ISREG(seen.st_mode):
        return _no_words(file)
    is_settled = time.time_ns() - seen.st_mtime_ns > SETTLED and seen.st_size <= LONG
    read = _words if is_settled else _words.__wrapped__
    return read(file, seen.st_mtime_ns, seen.st_size, seen.st_ino)


def _no_words(file: Path) -> None:
    if (file.exists() or file.is_symlink()) and (why := irregularity(file)):
        raise ValueError(f"{file.name} {why}; take it away")


@lru_cache(MOST_REMEMBERED)
def _words(file: Path, changed: int, size: int, number: int) -> Words:
    try:
        if size > MOST_BYTES:
            raise ValueError(f"{file.name} is too long for a caption; shorten it, or take it away")
        text = file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file.name} is not UTF-8; convert it, or take it away") from error
    except OSError as error:
        raise ValueError(f"{file.name} cannot be read ({error.strerror}); allow reading it, or take it away") from error
    return Words(text, hash_of(text))


def is_blank(file: Path) -> bool:
    """Whether no words stand in a file that can be read as text, or there is none."""
    return not file.exists() or not file.read_text("utf-8-sig", errors="replace").strip()


def write_beside(file: Path, text: str) -> str:
    """Write a caption and return its hash."""
    write_text(file, text)
    return hash_of(text)
