"""Pictures as files of a folder: of every mode and depth, turned as their camera held them, on white where they are
see-through.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from PIL import Image, ImageOps

from ...data import PICTURE_ENDINGS as SUFFIXES
from ...regular_file import irregularity
from ...rgb_picture import as_rgb

MOST_BYTES = 64_000  # of a file of facts
FIRST_FRAME = "only its first frame is described"


@dataclass(frozen=True, kw_only=True)
class PictureFile:
    """A picture as RGB, the first 16 hexadecimal digits of its file's SHA-256, and what is worth saying of it."""

    picture: Image.Image
    digest: str
    note: str = ""


def pictures_in(folder: Path) -> list[Path]:
    """The picture files of a folder by name, 2 before 10, without those of folders in it; `ValueError` for none."""
    return in_order(folder, picture_names(folder))


def picture_names(folder: Path) -> tuple[str, ...]:
    """The names of a folder's picture files as they come; `ValueError` for none."""
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}; choose the one with the pictures")
    every = (entry.name for entry in os.scandir(folder))
    names = tuple(name for name in every if name.lower().endswith(SUFFIXES) and not name.startswith("."))
    if not names:
        raise ValueError(f"{folder} holds no picture (.png, .jpg, .webp, ...); choose the folder they lie in")
    return names


def in_order(folder: Path, names: Iterable[str]) -> list[Path]:
    """Files of a folder by name, 2 before 10."""
    return [folder / name for name in sorted(names, key=natural)]


def natural(name: str) -> tuple[list[str | int], str]:
    """What names are sorted by so that numbers in them stand in their order; words first differ by letters."""
    parts = re.split("([0-9]+)", name)
    return [int(part) if index % 2 else part for index, part in enumerate(parts)], name


def read_picture(file: Path) -> PictureFile:
    """A whole picture. Raises `ValueError` with one sentence that names the file."""
    digest = digest_of(file)
    try:
        with Image.open(file) as opened:
            is_moving = getattr(opened, "n_frames", 1) > 1
            picture = as_rgb(ImageOps.exif_transpose(opened))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _unreadable(file, error) from error
    return PictureFile(picture=picture, digest=digest, note=FIRST_FRAME if is_moving else "")


def digest_of(file: Path) -> str:
    """The first 16 hexadecimal digits of a file's SHA-256, which takes a tenth of the time of reading the picture.

    Raises `ValueError` with one sentence that names the file.
    """
    if why := irregularity(file):
        raise ValueError(f"{file.name} {why}; choose another picture")
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise _unreadable(file, error) from error


def _unreadable(file: Path, error: Exception) -> ValueError:
    told = " ".join(str(error).replace(repr(str(file)), "").replace(str(file), "").split())
    return ValueError(f"{file.name} cannot be read as a picture ({told or type(error).__name__})")


def facts_beside(picture: Path) -> dict[str, str]:
    """What a JSON file of the picture's name tells, such as {"title": "...", "place": "..."}; nothing without one.

    Raises `ValueError` with one sentence for a file that is no such object.
    """
    file = picture.with_suffix(".json")
    if not file.exists() or irregularity(file):
        return {}
    try:
        found: object = json.loads(file.read_text("utf-8-sig")) if file.stat().st_size <= MOST_BYTES else None
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f'{file.name} is no JSON; write {{"title": "..."}}, or remove it') from error
    if not isinstance(found, dict):
        raise ValueError(f'{file.name} holds no names with values; write {{"title": "..."}}, or remove it')
    items = cast(dict[object, object], found).items()
    return {str(name): str(value) for name, value in items if isinstance(value, str | int | float)}
