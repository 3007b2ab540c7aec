"""A report's three files in a folder: for people as a page, for spreadsheets as CSV, for programs as JSON."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from ..atomic_file import write_text
from .case import Case
from .page import Look, html_page
from .pictures import open_picture
from .report import Report
from .report_files import to_csv, to_json

PAGE = "report.html"


def look_in(folder: Path, cases: Sequence[Case]) -> Look:
    """Looks pictures of cases up in a folder."""
    places = {case.id: case.places for case in cases}

    def look(case: str, number: int) -> Image.Image | None:
        return open_picture(folder, places[case][number]).image

    return look


def write_report(report: Report, look: Look, out: Path) -> None:
    """Write them, each completely or not at all."""
    write_text(out / "report.json", to_json(report))
    write_text(out / "report.csv", to_csv(report))
    write_text(out / PAGE, html_page(report, look))
