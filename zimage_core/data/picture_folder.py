"""A folder of pictures with captions, as trainers for other models lay it out.

`fox.jpg` is described by `fox.txt`, by `fox.json`, or by a line of `metadata.jsonl` or `captions.jsonl` that names it
(`{"file_name": "fox.jpg", "text": "a fox"}`). A JSON caption is a text, a list of texts, or texts by name.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .example import Example
from .picture_files import PICTURE_ENDINGS, is_picture

TABLES = ("metadata.jsonl", "captions.jsonl")
CAPTION_KEYS = ("captions", "caption", "text", "prompt")
MAX_NAMED = 3  # files that a message names


def read_picture_folder(folder: Path, caption: str = "") -> list[Example]:
    """The pictures of a folder with their captions, in the order of their names.

    `caption` is that of pictures without one. Raises ValueError with one sentence for a folder without pictures, for
    pictures without captions, and for captions that cannot be read.
    """
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder} to train on")
    files = {file.name: file for file in sorted(folder.iterdir()) if file.is_file()}
    pictures = [file for file in files.values() if is_picture(file)]
    if not pictures:
        raise ValueError(f"{folder} holds no pictures ({', '.join(PICTURE_ENDINGS)}); put them there")
    listed = {name: found for table in TABLES if table in files for name, found in _rows(files[table])}
    captions = {file: listed.get(file.name) or _beside(file) or ((caption,) if caption else ()) for file in pictures}
    if missing := [file.name for file, found in captions.items() if not found]:
        raise ValueError(
            f"{len(missing)} of {len(pictures)} pictures in {folder} have no caption: {_named(missing)}. Write a text "
            "of the same name beside each, such as "
            f"{Path(missing[0]).stem}.txt, or give one caption for all"
        )
    return [Example(picture=file, captions=found) for file, found in captions.items()]


def _beside(picture: Path) -> tuple[str, ...]:
    """Captions in the files of a picture's name."""
    text, table = picture.with_suffix(".txt"), picture.with_suffix(".json")
    if text.is_file():
        return _texts(_read(text))
    return _texts(_parsed(_read(table), table)) if table.is_file() else ()


def _rows(table: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """File names and captions of a table's lines."""
    for number, line in enumerate(_read(table).splitlines(), 1):
        row = _parsed(line, f"{table}, line {number},") if line.strip() else None
        name = row.get("file_name") if isinstance(row, dict) else None
        if isinstance(name, str):
            yield name, _texts(row)


def _texts(found: Any) -> tuple[str, ...]:
    """The captions in what was parsed: each on one line, none of them empty."""
    if isinstance(found, dict):
        wanted = next((found[key] for key in CAPTION_KEYS if key in found), None)
        return _texts(list(found.values()) if wanted is None else wanted)
    if isinstance(found, list):
        return tuple(text for each in found if isinstance(each, str | dict) for text in _texts(each))
    words = " ".join(found.split()) if isinstance(found, str) else ""
    return (words,) if words else ()


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is not UTF-8 text; save it as UTF-8") from error


def _parsed(text: str, place: Path | str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{place} is not JSON ({error.msg}); correct it or remove it") from error


def _named(names: list[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more
