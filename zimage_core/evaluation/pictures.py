"""Pictures in a suite's layout, read and written: single files, and four as the tiles of one.

Whatever is missing or broken is told in a sentence and has no number; it is never a picture that scored zero.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from ..atomic_file import write_atomically
from ..data import PICTURE_ENDINGS, is_picture
from ..regular_file import irregularity
from .case import Case, Place

FORMATS: dict[str, dict[str, Any]] = {".png": {"format": "PNG"}, ".webp": {"format": "WEBP", "lossless": True}}
COLUMNS, ROWS = 2, 2


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture that was looked for: itself, or why there is none."""

    image: Image.Image | None
    problem: str = ""
    digest: str = ""  # of its file's bytes, so that another file under the same name is measured again


def find(folder: Path, place: Place) -> Path | None:
    """The file of a place, under any of its names and with any usual ending."""
    for name in (place.file, *place.others):
        file = folder / name
        for candidate in (file, *(file.with_suffix(suffix) for suffix in PICTURE_ENDINGS)):
            if candidate.exists():
                return candidate
    return None


def digest(file: Path) -> str:
    """The first 16 hexadecimal digits of a file's SHA-256."""
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]


def open_picture(folder: Path, place: Place) -> Picture:
    """The picture of a place, as RGB."""
    file = find(folder, place)
    if file is None:
        return Picture(image=None, problem=f"there is no {place.file}")
    if why := irregularity(file):
        return Picture(image=None, problem=f"{place.file} {why}")
    try:
        with Image.open(file) as opened:
            whole = opened.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return Picture(image=None, problem=f"{place.file} cannot be read as a picture ({told(error, file)})")
    image = whole if place.tile is None else tile_of(whole, place.tile)
    if place.black_is_missing and image.getbbox() is None:
        return Picture(image=None, problem=f"{place.file} is black in tile {place.tile}: no picture was drawn there")
    return Picture(image=image, digest=digest(file))


def told(error: Exception, file: Path) -> str:
    """What an error says without the path of this machine, so that a report is the same everywhere."""
    return " ".join(str(error).replace(repr(str(file)), "").replace(str(file), "").split()) or type(error).__name__


def tile_of(whole: Image.Image, tile: int) -> Image.Image:
    """A quarter of a picture, counted row by row."""
    width, height = whole.width // COLUMNS, whole.height // ROWS
    row, column = divmod(tile, COLUMNS)
    return whole.crop((column * width, row * height, (column + 1) * width, (row + 1) * height))


def files_of(case: Case) -> dict[str, list[int]]:
    """The files of a case, each with the numbers of the pictures in it."""
    files: dict[str, list[int]] = {}
    for number, place in enumerate(case.places):
        files.setdefault(place.file, []).append(number)
    return files


def write_picture_file(file: Path, pictures: Sequence[Image.Image]) -> None:
    """Write one picture, or four as tiles; the folder is made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    whole = pictures[0] if len(pictures) == 1 else tiled(pictures)
    write_atomically(file, lambda opened: whole.save(opened, **FORMATS[file.suffix]))


def tiled(pictures: Sequence[Image.Image]) -> Image.Image:
    """Four pictures of one size as one, row by row."""
    width, height = pictures[0].size
    if len(pictures) != COLUMNS * ROWS or any(picture.size != (width, height) for picture in pictures):
        raise ValueError(f"{len(pictures)} pictures cannot be tiled: it takes {COLUMNS * ROWS} of one size")
    whole = Image.new("RGB", (width * COLUMNS, height * ROWS))
    for index, picture in enumerate(pictures):
        row, column = divmod(index, COLUMNS)
        whole.paste(picture, (column * width, row * height))
    return whole


def unclaimed(folder: Path, cases: Sequence[Case]) -> list[str]:
    """Pictures beside those of the cases that belong to none of them: a wrong count or a wrong name."""
    claimed: set[Path] = set()
    for case in cases:
        claimed.update(found for place in case.places if (found := find(folder, place)))
    folders = {file.parent for file in claimed}
    beside = (each for parent in folders for each in parent.iterdir() if is_picture(each))
    return sorted(each.relative_to(folder).as_posix() for each in beside if each not in claimed)
