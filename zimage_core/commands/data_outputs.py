"""Options that stages of `zimage data` share: what is written."""

import argparse

from .arguments import path


def add_out(parser: argparse.ArgumentParser) -> None:
    """What every stage has."""
    parser.add_argument("--out", required=True, type=path, metavar="FILE.parquet", help="what is written")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def add_page(parser: argparse.ArgumentParser) -> None:
    """Of stages that show pictures."""
    parser.add_argument("--page", type=path, metavar="FILE.html", help="default: beside --out, under its name")
