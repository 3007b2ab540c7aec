"""The page's questions about a folder's captions: a page of rows, and what a person does to one of them.

Only captions of pictures that lie in a folder inside ComfyUI's input folder are told or changed, and only where the
node has written some. An answer is all that is shown then.
"""

from base64 import b64encode
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from ....zimage_core.language.captioning import Row, Table
from ....zimage_core.regular_file import irregularity
from ....zimage_core.rgb_picture import as_rgb
from ..tasks.captioning.folder import Place

MOST_ROWS = 50  # of a page
MOST_CHARACTERS = 20_000  # of a caption
SIDE = 128  # pixels of a thumbnail's longer side
REMEMBERED = 1000  # thumbnails, of about 3 kB
SHOWN = {
    "all": ("waiting", "failed", "written", "approved"),
    "open": ("waiting", "failed", "written"),
    "failed": ("failed",),
}

Query = Mapping[str, Any]


def rows(query: Query) -> dict[str, Any]:
    """{folder, kind, language, targets, text_files, shown: all, open or failed, first, count} -> a page of rows.

    {rows, first, matching, states, is_begun}: `matching` rows are shown in pages, `first` is moved to the last page's.
    """
    return _page(_table(query), query)


def edit(query: Query) -> dict[str, Any]:
    """{picture, target, text}, and what `rows` is asked -> the page after it; the words are a person's then."""
    table, text = _table(query), str(query["text"])
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"a caption of {len(text)} characters is not kept; the most is {MOST_CHARACTERS}")
    table.edit(_key(query), text)
    return _page(table, query)


def approve(query: Query) -> dict[str, Any]:
    """{picture, target, approved: true or false}, and what `rows` is asked -> the page after it."""
    table = _table(query)
    table.approve(_key(query), bool(query["approved"]))
    return _page(table, query)


def redo(query: Query) -> dict[str, Any]:
    """{picture, target}, and what `rows` is asked -> the page after it; the next run writes that caption anew."""
    table = _table(query)
    table.redo(_key(query))
    return _page(table, query)


def _table(query: Query) -> Table:
    names = {name: str(query[name]) for name in ("folder", "kind", "language", "targets")}
    return Place(**names, text_files=bool(query["text_files"])).table()


def _key(query: Query) -> tuple[str, str]:
    return str(query["picture"]), str(query["target"])


def _page(table: Table, query: Query) -> dict[str, Any]:
    states = SHOWN[query["shown"]]
    count = min(max(_whole(query, "count"), 1), MOST_ROWS)
    found = table.rows()
    matching = [row for row in found if row.state in states]
    last = max(0, (len(matching) - 1) // count * count)
    first = min(max(_whole(query, "first"), 0) // count * count, last)
    return {
        "rows": [_shown(table, row) for row in matching[first : first + count]],
        "first": first,
        "matching": len(matching),
        "states": dict.fromkeys(SHOWN["all"], 0) | Counter(row.state for row in found),
        "is_begun": table.out.exists(),
    }


def _whole(query: Query, name: str) -> int:
    value = query[name]
    if not isinstance(value, int):
        raise ValueError(f"{name} is {str(value)[:20]!r}, not a whole number")
    return value


def _shown(table: Table, row: Row) -> dict[str, Any]:
    picture, target = row.task.key
    return {
        "picture": picture,
        "target": target,
        "text": table.text(row),
        "state": row.state,
        "by": row.record.by,
        "problem": row.record.problem,
        "thumbnails": [_thumbnail(str(file), _changed(file)) for file in row.task if file],
    }


def _changed(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(REMEMBERED)
def _thumbnail(file: str, changed: int) -> str:
    """A picture shrunk, as a data URI; "" for what cannot be read."""
    if irregularity(Path(file)):
        return ""
    try:
        with Image.open(file) as opened:
            opened.draft("RGB", (SIDE, SIDE))  # a JPEG is decoded small
            small = as_rgb(ImageOps.exif_transpose(opened))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return ""
    small.thumbnail((SIDE, SIDE))
    written = BytesIO()
    small.save(written, format="WEBP", quality=80)
    return f"data:image/webp;base64,{b64encode(written.getvalue()).decode()}"
