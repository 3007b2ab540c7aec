"""Captions of any number from files and folders, listed as row groups: what the stages that read them are given."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ...data.captions import captions_in, rows_of, texts_of
from ...data.picture_files import file_names
from ..engine import write_listing
from .text_lines import lines_of, missing_or_irregular

ROWS = 5000  # captions in a partition
TABLES, TEXTS, JSON = (".jsonl", ".ndjson"), ".txt", ".json"
PICTURE_KEYS = ("file_name", "picture", "path", "image")


class Caption(NamedTuple):
    """A caption and whose it is."""

    place: str  # the picture's name, where it is told; else file and line
    text: str


def list_captions(places: Sequence[Path], listing: Path) -> str:
    """Write all captions, `ROWS` in a row group, and return the SHA-256 of them; one group is in memory."""
    captions = (caption for place in places for caption in captions_of(place))
    return write_listing(captions, (("place", "string"), ("text", "string")), listing, ROWS)


def captions_of(place: Path) -> Iterator[Caption]:
    """Those of a table of JSON lines, of a text with one a line, or of a folder's files and the folders below."""
    if place.is_dir():
        yield from captions_below(place)
    elif why := missing_or_irregular(place):
        raise ValueError(f"{place} holds no captions: it {why}")
    elif place.suffix.lower() in TABLES:
        yield from captions_of_table(place)
    elif place.suffix.lower() == TEXTS:
        yield from (Caption(f"{place.name}:{number}", " ".join(line.split())) for number, line in lines_of(place))
    else:
        raise ValueError(
            f"{place} holds no captions: give a folder, a .jsonl file of captions, or a .txt file with one a line"
        )


def captions_of_table(table: Path) -> Iterator[Caption]:
    """Those in a table's lines."""
    for row in rows_of(table):
        about = next((row.values[key] for key in PICTURE_KEYS if isinstance(row.values.get(key), str)), "")
        for text in texts_of(row.values):
            yield Caption(about or f"{table.name}@{row.offset}", text)


def captions_below(folder: Path) -> Iterator[Caption]:
    """Those of a dataset's folder: a text or JSON beside each picture, or tables; hidden ones are left out."""
    for name in sorted(file_names(folder)):
        file = folder / name
        if file.suffix.lower() in TABLES:
            yield from captions_of_table(file)
        elif file.suffix.lower() in (TEXTS, JSON):
            yield from (Caption(str(file), text) for text in captions_in(file))
    for below in sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith(".")):
        if not below.is_symlink():
            yield from captions_below(below)
