"""Which files of a folder are pictures, and what the end of a name says they are for."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

PICTURE_ENDINGS = (".png", ".webp", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".avif")
PURPOSE = re.compile(r"(?P<stem>.+)\.(?P<purpose>mask|target|source\d*)", re.IGNORECASE)


def is_picture(file: Path) -> bool:
    """Whether a file is named as a picture; hidden ones, such as macOS's ._fox.png, are not."""
    return is_picture_name(file.name)


def is_picture_name(name: str) -> bool:
    """The same of a name."""
    return name.lower().endswith(PICTURE_ENDINGS) and not name.startswith(".")


def file_names(folder: Path) -> Iterator[str]:
    """Names of a folder's files, hidden ones left out, in no order."""
    with os.scandir(folder) as found:
        yield from (each.name for each in found if not each.name.startswith(".") and each.is_file())


def stem_of(name: str) -> str:
    """A name without its ending."""
    return name.rpartition(".")[0] or name


def purpose_of(name: str) -> tuple[str, str]:
    """Stem and purpose of a picture: `fox.source2.png` is the "source2" of fox; of most the purpose is ""."""
    stem = stem_of(name)
    found = PURPOSE.fullmatch(stem)
    return (found["stem"], found["purpose"].lower()) if found else (stem, "")
