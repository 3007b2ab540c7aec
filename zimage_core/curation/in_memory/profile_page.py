"""The page about a profile in memory, as `profiling` writes it of a file."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from ..profiling.columns import COLUMNS, LOW
from ..profiling.page_parts import MOST_NAMED, SHOWN, Finding, profile_html, title_of
from .conditions import condition_of
from .profile import Profile

Rows = Sequence[Mapping[str, Any]]


def profile_page(profile: Profile, folder: str) -> str:
    """HTML: what is damaged, the proposed thresholds, a contact sheet per finding."""
    rows, problems = profile.rows, profile.problems()
    proposals = [asdict(each) for each in profile.proposals]
    beyond = [[row for row in rows if condition_of(each).holds(row)] for each in profile.proposals]
    findings = [
        finding("Named as another format", [row for row in rows if row.get("right_ending") is False], "format"),
        finding("The same file more than once", copies(rows), "copies", is_low=False),
        *(
            finding(title_of(each), found, each["column"], is_low=each["side"] == LOW)
            for each, found in zip(proposals, beyond, strict=True)
        ),
    ]
    columns = (*COLUMNS, *profile.learned)
    return profile_html(folder, len(rows), problems, proposals, partial(damaged, rows), findings, columns)


def damaged(rows: Rows, kind: str) -> Rows:
    """The first files with one kind of damage."""
    return [row for row in rows if row["problem"].startswith(f"{kind}:")][:MOST_NAMED]


def copies(rows: Rows) -> Rows:
    """Files that are there more than once, byte by byte, with their number."""
    counts = Counter(row.get("sha256") for row in rows)
    found = [{**row, "copies": counts[row["sha256"]]} for row in rows if row.get("sha256")]
    return sorted((row for row in found if row["copies"] > 1), key=lambda row: row["sha256"])


def finding(title: str, found: Rows, column: str, *, is_low: bool = True) -> Finding:
    """The farthest first."""
    first = sorted(found, key=lambda row: row[column], reverse=not is_low)[:SHOWN]
    return Finding(title=title, column=column, count=len(found), rows=first)
