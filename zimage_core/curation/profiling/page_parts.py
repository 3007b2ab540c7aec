"""Parts of the page about a profile, of plain rows: a heading, tables, and contact sheets."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from ...counted import counted
from ...html_page import figure_html, page
from ...rgb_picture import as_rgb
from .columns import LOW, Column
from .opened import Damage

SHOWN = 12  # pictures of a finding
MOST_NAMED = 50  # damaged files of one kind
DRAFT = (448, 448)  # pixels for which a JPEG is decoded

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Pictures with something in common: how many there are, and the first of them by a column."""

    title: str
    column: str
    count: int
    rows: Sequence[Row]  # with path and the column


def profile_html(
    folder: str,
    pictures: int,
    problems: Mapping[str, int],
    proposals: Sequence[Row],
    damaged: Callable[[str], Sequence[Row]],
    findings: Iterable[Finding],
    columns: Sequence[Column],
) -> str:
    """The whole page about a folder; `damaged` are the first files with one kind of damage."""
    parts = [
        f"<h1>{escape(folder)}</h1><p>{escape(headline(pictures, sum(problems.values())))}</p>",
        thresholds_html(proposals),
        *(damage_html(kind, count, damaged(kind), folder) for kind, count in problems.items()),
        *(sheet_html(each, folder) for each in findings),
        columns_html(columns),
    ]
    return page(f"Profile of {folder}", "\n".join(part for part in parts if part))


def headline(pictures: int, damaged: int) -> str:
    """How many pictures, and how many cannot be read."""
    return f"{counted(pictures, 'picture')}, of which {damaged} cannot be read. Nothing was changed."


def thresholds_html(proposals: Sequence[Row]) -> str:
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


def damage_html(kind: str, count: int, found: Sequence[Row], folder: str) -> str:
    """The first files with one kind of damage, by name."""
    lines = [f"{short(row['path'], folder)} ({row['problem'].partition(': ')[2]})" for row in found]
    more = f"<li>and {count - len(lines)} more</li>" if count > len(lines) else ""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<h2>{escape(kind.capitalize())}: {counted(count, 'file')}</h2><ul>{items}{more}</ul>"


def title_of(proposal: Row) -> str:
    """What the pictures beyond a proposed threshold have in common."""
    side = "below" if proposal["side"] == LOW else "above"
    return f"{proposal['column']} {side} {proposal['limit']:.4g}"


def sheet_html(finding: Finding, folder: str) -> str:
    """A heading and the first pictures of a finding; nothing for none."""
    if not finding.count:
        return ""
    shown = "".join(
        figure_html(thumbnail(Path(row["path"])), f"{short(row['path'], folder)}: {told(row[finding.column])}")
        for row in finding.rows
    )
    heading = f"{escape(finding.title)}: {counted(finding.count, 'picture')}"
    return f'<h2>{heading}</h2><div class="case">{shown}</div>'


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


def columns_html(columns: Sequence[Column]) -> str:
    """What every column means and where it is from."""
    rows = "".join(
        f"<tr><td>{escape(each.name)}</td><td>{escape(each.meaning)}</td><td>{escape(each.source)}</td></tr>"
        for each in columns
    )
    return f"<h2>Columns</h2><table><tr><th>column</th><th>meaning</th><th>source</th></tr>{rows}</table>"
