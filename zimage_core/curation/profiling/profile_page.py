"""A profile as one HTML page: what is damaged, what the data proposes as thresholds, a contact sheet per finding."""

import os
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from ...atomic_file import write_text
from ...counted import counted
from ...html_page import figure_html, page
from ...rgb_picture import as_rgb
from ..engine import Record, read_record
from ..engine.libraries import daft
from .columns import COLUMNS, LOW
from .opened import Damage

SHOWN = 12  # pictures of a finding
MOST_NAMED = 50  # damaged files of one kind
DRAFT = (448, 448)  # pixels for which a JPEG is decoded


def write_page(profile: Path, out: Path) -> None:
    """Write the page of a profile beside it."""
    record = read_record(profile)
    if record is None or record.stage != "profile":
        raise ValueError(f"{profile} is no profile: give a file that `zimage data profile` wrote")
    frame = daft().read_parquet(str(profile))
    folder = str(record.parameters["folder"])
    parts = [
        f"<h1>{escape(folder)}</h1><p>{escape(headline(record))}</p>",
        thresholds_html(record.summary["proposals"]),
        *(damage_html(frame, kind, count, folder) for kind, count in record.summary["problems"].items()),
        wrong_endings_html(frame, folder),
        copies_html(frame, folder),
        *(finding_html(frame, each, folder) for each in record.summary["proposals"]),
        columns_html(),
    ]
    write_text(out, page(f"Profile of {folder}", "\n".join(part for part in parts if part)))


def headline(record: Record) -> str:
    """How many pictures, and how many cannot be read."""
    damaged = sum(record.summary["problems"].values())
    return f"{counted(record.summary['pictures'], 'picture')}, of which {damaged} cannot be read. Nothing was changed."


def thresholds_html(proposals: Sequence[dict[str, Any]]) -> str:
    """The table of proposals."""
    if not proposals:
        return "<p>No measure has values far from the others, so no threshold is proposed.</p>"
    rows = "".join(
        f"<tr><td>{escape(each['column'])}</td><td>{'below' if each['side'] == LOW else 'above'}</td>"
        f'<td class="number">{each["limit"]:.4g}</td><td class="number">{each["count"]}</td>'
        f'<td class="number">{each["of"]}</td></tr>'
        for each in proposals
    )
    return (
        "<h2>Proposed thresholds</h2><p>Three interquartile ranges beyond the quartiles of these pictures; nothing was "
        "applied.</p><table><tr><th>measure</th><th>side</th><th>limit</th><th>pictures beyond</th><th>measured</th>"
        f"</tr>{rows}</table>"
    )


def damage_html(frame: Any, kind: str, count: int, folder: str) -> str:
    """The files with one kind of damage, by name."""
    found = frame.where(frame["problem"].startswith(f"{kind}:")).select("path", "problem").limit(MOST_NAMED)
    lines = [f"{short(row['path'], folder)} ({row['problem'].partition(': ')[2]})" for row in found.iter_rows()]
    more = f"<li>and {count - len(lines)} more</li>" if count > len(lines) else ""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<h2>{escape(kind.capitalize())}: {counted(count, 'file')}</h2><ul>{items}{more}</ul>"


def wrong_endings_html(frame: Any, folder: str) -> str:
    """Pictures whose name promises another format."""
    found = frame.where(~frame["right_ending"])
    return sheet_html("Named as another format", found, "format", folder, descending=False)


def copies_html(frame: Any, folder: str) -> str:
    """Files that are there more than once, byte by byte."""
    groups = frame.where(frame["sha256"].not_null()).groupby("sha256").agg(frame["path"].count().alias("copies"))
    repeated = groups.where(groups["copies"] > 1)
    found = frame.join(repeated, on="sha256").sort("sha256")
    return sheet_html("The same file more than once", found, "copies", folder, descending=True)


def finding_html(frame: Any, proposal: dict[str, Any], folder: str) -> str:
    """The pictures farthest beyond a proposed threshold."""
    column, is_low = proposal["column"], proposal["side"] == LOW
    beyond = frame[column] < proposal["limit"] if is_low else frame[column] > proposal["limit"]
    title = f"{column} {'below' if is_low else 'above'} {proposal['limit']:.4g}"
    return sheet_html(title, frame.where(beyond), column, folder, descending=not is_low)


def sheet_html(title: str, found: Any, column: str, folder: str, *, descending: bool) -> str:
    """A heading and the first pictures of a finding, the farthest first."""
    count = found.count_rows()
    if not count:
        return ""
    rows = list(found.sort([column, "path"], desc=[descending, False]).select("path", column).limit(SHOWN).iter_rows())
    shown = "".join(
        figure_html(thumbnail(Path(row["path"])), f"{short(row['path'], folder)}: {told(row[column])}") for row in rows
    )
    return f'<h2>{escape(title)}: {counted(count, "picture")}</h2><div class="case">{shown}</div>'


def thumbnail(path: Path) -> Image.Image | None:
    """A picture for the page; None where it has gone meanwhile."""
    try:
        with Image.open(path) as opened:
            opened.draft("RGB", DRAFT)
            return as_rgb(ImageOps.exif_transpose(opened))
    except Damage:
        return None


def short(path: str, folder: str) -> str:
    """A path below the folder."""
    return path.removeprefix(folder).lstrip(os.sep)


def told(value: object) -> str:
    """A value as it is shown."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def columns_html() -> str:
    """What every column means and where it is from."""
    rows = "".join(
        f"<tr><td>{escape(each.name)}</td><td>{escape(each.meaning)}</td><td>{escape(each.source)}</td></tr>"
        for each in COLUMNS
    )
    return f"<h2>Columns</h2><table><tr><th>column</th><th>meaning</th><th>source</th></tr>{rows}</table>"
