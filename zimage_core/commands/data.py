"""`zimage data`: the data engine, one word a stage, each from a file to a file."""

import argparse
from typing import Any

from .arguments import number, path

PROFILE = """Measures every picture in FOLDER and below: what it is, how much is in it, how good it is technically;
damaged files have a reason instead of numbers. Writes one row a picture, and a page with a contact sheet per finding.
Thresholds are proposed from these pictures' own distribution; nothing is applied, no picture is changed."""


def add_data(verbs: Any) -> None:
    """Add the verb to what `ArgumentParser.add_subparsers` returned."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "data", allow_abbrev=False, help="what is in a folder of pictures, and which are copies"
    )
    stages = parser.add_subparsers(title="stages", metavar="STAGE", required=True)
    add_profile(stages)


def add_profile(stages: Any) -> None:
    """`data profile`."""
    parser = stages.add_parser("profile", allow_abbrev=False, help="measure a folder's pictures", description=PROFILE)
    parser.set_defaults(run=run_profile)
    parser.add_argument("folder", type=path, metavar="FOLDER")
    add_out(parser)
    parser.add_argument("--page", type=path, metavar="FILE.html", help="default: beside --out, under its name")
    parser.add_argument(
        "--most-megapixels",
        type=number(0.0, 1000.0),
        default=100.0,
        metavar="N",
        help="larger pictures are not decoded; default: 100",
    )
    parser.add_argument("--keep-dates", action="store_true", help="keep when pictures were taken, from their EXIF data")


def add_out(parser: argparse.ArgumentParser) -> None:
    """What every stage has."""
    parser.add_argument("--out", required=True, type=path, metavar="FILE.parquet", help="what is written")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def run_profile(options: argparse.Namespace) -> None:
    """Import what is needed, and run."""
    from .data_stages import profile_folder

    profile_folder(options)
