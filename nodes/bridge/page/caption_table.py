"""The page's questions about a folder's captions: a page of rows, and what a person does to one of them.

Only captions of pictures that lie in a folder inside ComfyUI's input folder are told or changed, and only where the
node has written some. An answer is all that is shown then.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ....zimage_core.language.captioning import Refused, Row, Table
from ..tasks.captioning.folder import Place
from .thumbnails import thumbnail

MOST_ROWS = 50  # of a page
MOST_CHARACTERS = 20_000  # of a caption
SHOWN = {
    "all": ("waiting", "failed", "written", "approved"),
    "open": ("waiting", "failed", "written"),
    "failed": ("failed",),
}

Query = Mapping[str, Any]


def rows(query: Query) -> dict[str, Any]:
    """{folder, kind, language, targets, text_files, shown: all, open or failed, first, count} -> a page of rows.

    With `only`, names of pictures, one a line, no others are counted and shown.
    {rows, first, matching, states, is_begun}: `matching` rows are shown in pages, `first` is moved to the last page's;
    a row of which something was refused has a sentence `refused`.
    """
    return _page(_table(query), query)


def edit(query: Query) -> dict[str, Any]:
    """{picture, target, text, before}, and what `rows` is asked -> the page after it; the words are a person's then.

    `before` are the words that the row showed.
    """
    table, text = _table(query), str(query["text"])
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"a caption of {len(text)} characters is not kept; the most is {MOST_CHARACTERS}")
    return _after(table, query, lambda: table.edit(_key(query), text, str(query["before"])))


def approve(query: Query) -> dict[str, Any]:
    """{picture, target, before, approved: true or false}, and what `rows` is asked -> the page after it."""
    table = _table(query)
    return _after(table, query, lambda: table.approve(_key(query), bool(query["approved"]), str(query["before"])))


def redo(query: Query) -> dict[str, Any]:
    """{picture, target, before}, and what `rows` is asked -> the page after it; the next run writes it anew."""
    table = _table(query)
    return _after(table, query, lambda: table.redo(_key(query), str(query["before"])))


def _table(query: Query) -> Table:
    names = {name: str(query[name]) for name in ("folder", "kind", "language", "targets")}
    table = Place(**names, text_files=bool(query["text_files"])).table()
    only = str(query.get("only") or "").splitlines()
    return replace(table, only=frozenset(only)) if only else table


def _key(query: Query) -> tuple[str, str]:
    return str(query["picture"]), str(query["target"])


def _after(table: Table, query: Query, change: Callable[[], Row]) -> dict[str, Any]:
    try:
        change()
    except Refused as error:
        page = _page(table, query)
        for row in page["rows"]:
            if (row["picture"], row["target"]) == _key(query):
                row["refused"] = str(error)
        return page
    return _page(table, query)


def _page(table: Table, query: Query) -> dict[str, Any]:
    states = SHOWN[query["shown"]]
    count = min(max(_whole(query, "count"), 1), MOST_ROWS)
    found = table.rows()
    matching = [row for row in found if row.state in states]
    last = max(0, (len(matching) - 1) // count * count)
    first = min(max(_whole(query, "first"), 0) // count * count, last)
    return {
        "rows": [_shown(row) for row in matching[first : first + count]],
        "first": first,
        "matching": len(matching),
        "states": dict.fromkeys(SHOWN["all"], 0) | Counter(row.state for row in found),
        "is_begun": table.out.exists() or any(row.state != "waiting" for row in found),
    }


def _whole(query: Query, name: str) -> int:
    value = query[name]
    if not isinstance(value, int):
        raise ValueError(f"{name} is {str(value)[:20]!r}, not a whole number")
    return value


def _shown(row: Row) -> dict[str, Any]:
    picture, target = row.task.key
    return {
        "picture": picture,
        "target": target,
        "text": row.record.text,
        "state": row.state,
        "by": row.record.by,
        "problem": row.record.problem,
        "thumbnails": [thumbnail(file) for file in row.task if file],
    }
