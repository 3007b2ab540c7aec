"""Captions beside their pictures, as trainers read them: cat.txt beside cat.png. What a person wrote there stays."""

import hashlib
from collections.abc import Collection
from pathlib import Path

from ...atomic_file import write_text
from ...regular_file import irregularity

MOST_BYTES = 1 << 20  # of a caption that is read


def text_file(picture: Path, target: Path | None = None) -> Path:
    """Where a caption stands; that of a difference tells both pictures."""
    return picture.with_suffix(".txt") if target is None else picture.with_name(f"{picture.stem}.to.{target.stem}.txt")


def hash_of(text: str) -> str:
    """The first 16 hexadecimal digits of a text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def persons_text(file: Path, written: Collection[str]) -> str | None:
    """What a person wrote: a text that is none of those whose hashes are `written`. None where there is no such file.

    What is no text is a person's, too, and empty.
    """
    if not (file.exists() or file.is_symlink()):
        return None
    try:
        is_text = not irregularity(file) and file.stat().st_size <= MOST_BYTES
        text = file.read_text("utf-8-sig") if is_text else ""
    except (OSError, UnicodeDecodeError):
        return ""
    return None if is_text and hash_of(text) in written else text


def write_beside(file: Path, text: str) -> str:
    """Write a caption and return its hash."""
    write_text(file, text)
    return hash_of(text)
