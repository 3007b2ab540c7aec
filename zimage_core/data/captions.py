"""Captions in files: a text, JSON of any shape, or a line of a table of JSON objects.

In JSON a caption is a text, a list of texts, or texts by name, such as those of several types and languages:
`{"caption": {"en": {"short": "a fox", "tags": "fox, snow"}, "zh": "…"}}`. One is drawn each time.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

TABLES = ("metadata.jsonl", "captions.jsonl")
CAPTION_KEYS = ("captions", "caption", "text", "prompt", "instruction")


class Row(NamedTuple):
    """A line of a table."""

    offset: int  # in bytes
    number: int  # of the line in its file, from 1 on
    values: dict[str, Any]  # none where it is JSON, but no object


def captions_in(file: Path, offset: int | None = None) -> tuple[str, ...]:
    """The captions in a file, or in the line of a table at `offset`. Raises ValueError with one sentence."""
    if offset is not None:
        with file.open("rb") as opened:
            opened.seek(offset)
            return texts_of(json.loads(opened.readline().decode("utf-8-sig")))
    text = _decoded(file.read_bytes(), file)
    return _texts(_parsed(text, file) if file.suffix.lower() == ".json" else text)


def rows_of(table: Path) -> Iterator[Row]:
    """The lines of a table but empty ones. Raises ValueError with one sentence for a line that is no JSON."""
    offset = 0
    with table.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            place = f"{table}, line {number},"
            text = _decoded(line, place)
            if text.strip():
                values = _parsed(text, place)
                yield Row(offset, number, values if isinstance(values, dict) else {})
            offset += len(line)


def texts_of(values: dict[str, Any]) -> tuple[str, ...]:
    """The captions in a table's line."""
    return tuple(text for key, value in values.items() if _is_caption(key) for text in _texts(value))


def _is_caption(key: str) -> bool:
    """Whether a table's column holds captions: `caption`, but also `caption_zh` or `text_short`."""
    return any(key == name or key.startswith(f"{name}_") for name in CAPTION_KEYS)


def _texts(found: Any) -> tuple[str, ...]:
    """The captions in what was parsed: each on one line, none of them empty."""
    if isinstance(found, dict):
        wanted = next((found[key] for key in CAPTION_KEYS if key in found), None)
        return _texts(list(found.values()) if wanted is None else wanted)
    if isinstance(found, list):
        return tuple(text for each in found if isinstance(each, str | dict) for text in _texts(each))
    words = " ".join(found.split()) if isinstance(found, str) else ""
    return (words,) if words else ()


def _decoded(raw: bytes, place: Path | str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{place} is not UTF-8 text; save it as UTF-8") from error


def _parsed(text: str, place: Path | str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{place} is not JSON ({error.msg}); correct it or remove it") from error
