"""A profile as one HTML page: what is damaged, what the data proposes as thresholds, a contact sheet per finding."""

from functools import partial
from pathlib import Path
from typing import Any

from ...atomic_file import write_text
from ..engine import parquet, read_record
from ..engine.libraries import daft
from .columns import LOW, columns_in
from .page_parts import MOST_NAMED, SHOWN, Finding, Row, profile_html, title_of


def write_page(profile: Path, out: Path) -> None:
    """Write the page of a profile beside it."""
    record = read_record(profile)
    if record is None or record.stage != "profile":
        raise ValueError(f"{profile} is no profile: give a file that `zimage data profile` wrote")
    frame = daft().read_parquet(str(profile))
    folder = str(record.parameters["folder"])
    problems, proposals = record.summary["problems"], record.summary["proposals"]
    findings = [wrong_endings(frame), copies(frame), *(beyond(frame, each) for each in proposals)]
    count, columns = record.summary["pictures"], columns_in(parquet().read_schema(profile))
    write_text(out, profile_html(folder, count, problems, proposals, partial(damaged, frame), findings, columns))


def damaged(frame: Any, kind: str) -> list[Row]:
    """The first files with one kind of damage."""
    found = frame.where(frame["problem"].startswith(f"{kind}:")).select("path", "problem").limit(MOST_NAMED)
    return list(found.iter_rows())


def wrong_endings(frame: Any) -> Finding:
    """Pictures whose name promises another format."""
    return finding("Named as another format", frame.where(~frame["right_ending"]), "format", descending=False)


def copies(frame: Any) -> Finding:
    """Files that are there more than once, byte by byte."""
    groups = frame.where(frame["sha256"].not_null()).groupby("sha256").agg(frame["path"].count().alias("copies"))
    found = frame.join(groups.where(groups["copies"] > 1), on="sha256").sort("sha256")
    return finding("The same file more than once", found, "copies", descending=True)


def beyond(frame: Any, proposal: Row) -> Finding:
    """The pictures farthest beyond a proposed threshold."""
    column, is_low = proposal["column"], proposal["side"] == LOW
    found = frame[column] < proposal["limit"] if is_low else frame[column] > proposal["limit"]
    return finding(title_of(proposal), frame.where(found), column, descending=not is_low)


def finding(title: str, found: Any, column: str, *, descending: bool) -> Finding:
    """The farthest first."""
    first = found.sort([column, "path"], desc=[descending, False]).select("path", column).limit(SHOWN)
    return Finding(title=title, column=column, count=found.count_rows(), rows=list(first.iter_rows()))
