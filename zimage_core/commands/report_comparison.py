"""What `zimage compare` does with its parsed options."""

import argparse
import json
from pathlib import Path

from PIL import Image

from ..atomic_file import write_text
from ..evaluation.case import Place
from ..evaluation.comparison import compare_reports, comparison_page, to_record
from ..evaluation.page import Look
from ..evaluation.pictures import open_picture
from ..evaluation.report import Report
from ..evaluation.report_files import read_report
from .suite_run import EVERY_SUITE, PICTURES


def compare_evaluations(options: argparse.Namespace) -> None:
    """Print a line for each score that both evaluations have, and write a page with the pictures beside each other."""
    if options.images and not options.out:
        raise ValueError("--images are the pictures on the page, which is written only with --out: name its folder too")
    if missing := [folder for folder in options.images or () if not folder.is_dir()]:
        raise ValueError(f"there is no folder {missing[0]}: --images takes those with the pictures of both")
    files = [each / "report.json" if each.is_dir() else each for each in (options.one, options.other)]
    one, other = map(read_report, files)
    suite = EVERY_SUITE[one.run.suite]
    compared = compare_reports(one, other, suite.totals_of)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        folders = options.images or [file.parent / PICTURES for file in files]
        looks = look_of(one, folders[0]), look_of(other, folders[1])
        write_text(
            options.out / "comparison.json", json.dumps(to_record(compared), ensure_ascii=False, indent=1) + "\n"
        )
        write_text(options.out / "comparison.html", comparison_page(one, other, compared, looks))
    print(json.dumps(to_record(compared)) if options.json else "\n".join(each.told() for each in compared))


def look_of(report: Report, folder: Path) -> Look:
    """A report's pictures, as far as they are in a folder."""
    places = {
        result.case: [Place(file=shown.file, tile=shown.tile) for shown in result.pictures] for result in report.results
    }

    def look(case: str, number: int) -> Image.Image | None:
        return open_picture(folder, places[case][number]).image

    return look
