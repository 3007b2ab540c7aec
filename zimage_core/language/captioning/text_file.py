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
    """What a person wrote: a text that is none of those whose hashes are `written`. None where there are no words.

    Raises `ValueError` with one sentence for what cannot be read as text, which is a person's, too.
    """
    if not (file.exists() or file.is_symlink()):
        return None
    if why := irregularity(file):
        raise ValueError(f"{file.name} {why}; take it away")
    try:
        if file.stat().st_size > MOST_BYTES:
            raise ValueError(f"{file.name} is too long for a caption; shorten it, or take it away")
        text = file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file.name} is not UTF-8; convert it, or take it away") from error
    except OSError as error:
        raise ValueError(f"{file.name} cannot be read ({error.strerror}); allow reading it, or take it away") from error
    return text if text.strip() and hash_of(text) not in written else None


def is_blank(file: Path) -> bool:
    """Whether no words stand in a file that can be read as text, or there is none."""
    return not file.exists() or not file.read_text("utf-8-sig", errors="replace").strip()


def write_beside(file: Path, text: str) -> str:
    """Write a caption and return its hash."""
    write_text(file, text)
    return hash_of(text)
