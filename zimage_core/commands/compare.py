"""`zimage compare`: whether the difference of two evaluations is real."""

import argparse
from typing import Any

from .arguments import path

DESCRIPTION = """Compares two evaluations of the same prompts, prompt by prompt. ONE and OTHER are folders that evaluate
wrote, or their report.json."""


def add_compare(verbs: Any) -> None:
    """Add the verb to what `ArgumentParser.add_subparsers` returned."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "compare", allow_abbrev=False, help="whether the difference of two evaluations is real", description=DESCRIPTION
    )
    parser.set_defaults(run=run_compare)
    parser.add_argument("one", type=path, metavar="ONE")
    parser.add_argument("other", type=path, metavar="OTHER")
    parser.add_argument("--out", type=path, metavar="FOLDER", help="write comparison.json and comparison.html here")
    parser.add_argument(
        "--images", type=path, nargs=2, metavar="FOLDER", help="pictures of both; default: those that evaluate drew"
    )
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def run_compare(options: argparse.Namespace) -> None:
    """Import what is needed and run."""
    from .report_comparison import compare_evaluations

    compare_evaluations(options)
