"""A report as JSON, which is read again for comparisons, and as CSV, a row for each picture and score."""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .case import Published
from .report import Figure, Report, Result, Shown
from .run import Column, Run

HEADINGS = ("case", "group", "picture", "file", "tile", "seed", "score", "reader", "value", "parts", "problem", "notes")


def to_json(report: Report) -> str:
    """The report as JSON."""
    return json.dumps(report, default=vars, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def to_csv(report: Report) -> str:
    """A row for each picture and score."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(HEADINGS)
    for result in report.results:
        for number, shown in enumerate(result.pictures):
            where = (result.case, result.group, number, shown.file, shown.tile, shown.seed)
            for column in report.run.columns:
                parts = json.dumps(shown.parts.get(column.title, {}), sort_keys=True)
                words = (told.get(column.title, "") for told in (shown.problems, shown.notes))
                table.writerow((*where, column.name, column.reader, shown.values[column.title], parts, *words))
    return text.getvalue()


def read_report(file: Path) -> Report:
    """A report that was written as JSON."""
    try:
        found = json.loads(file.read_text("utf-8"))
        return Report(
            run=_run(found["run"]),
            figures=tuple(Figure(**each) for each in found["figures"]),
            published=tuple(Published(**each) for each in found["published"]),
            problems=tuple(found["problems"]),
            results=tuple(_result(each) for each in found["results"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{file} is no report of an evaluation ({error}): choose its report.json") from error


def _run(found: Mapping[str, Any]) -> Run:
    fields: dict[str, Any] = {**found, "columns": tuple(Column(**each) for each in found["columns"])}
    return Run(**fields)


def _result(found: Mapping[str, Any]) -> Result:
    fields: dict[str, Any] = {**found, "pictures": tuple(Shown(**each) for each in found["pictures"])}
    return Result(**fields)
