"""Captions of pictures anywhere, found as a dataset's folder has them: a table's line, a text, JSON."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ...data.captions import TABLES, captions_in, rows_of
from ...data.picture_files import stem_of

ENDINGS = (".txt", ".json")


def captions_of(pictures: Sequence[str]) -> list[tuple[str, ...]]:
    """The captions of each picture, none where nothing is beside it; each folder's tables are read once.

    Raises ValueError with one sentence for a file that cannot be read.
    """
    lines = {folder: lines_in(Path(folder)) for folder in {str(Path(each).parent) for each in pictures}}
    return [captions_beside(Path(each), lines[str(Path(each).parent)]) for each in pictures]


def lines_in(folder: Path) -> Mapping[str, tuple[Path, int]]:
    """Where the tables of a folder speak of which picture; the first line counts."""
    found = dict[str, tuple[Path, int]]()
    for table in (folder / name for name in TABLES):
        if table.is_file():
            for row in rows_of(table):
                if isinstance(about := row.values.get("file_name"), str):
                    found.setdefault(about, (table, row.offset))
    return found


def captions_beside(picture: Path, lines: Mapping[str, tuple[Path, int]]) -> tuple[str, ...]:
    """Of the places in which captions may be the first that says anything."""
    if picture.name in lines and (said := captions_in(*lines[picture.name])):
        return said
    beside = (picture.with_name(stem_of(picture.name) + ending) for ending in ENDINGS)
    return next((said for each in beside if each.is_file() and (said := captions_in(each))), ())
