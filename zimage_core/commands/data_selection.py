"""The stages of `zimage data` that choose: search, and balance."""

import argparse
from typing import Any

from .arguments import integer, nonnegative, number, path, share, text
from .data_outputs import add_out, add_page

SEARCH = """Lists the pictures nearest to a picture, as the encoder sees it that made the vectors, or to words. Words
are compared with pictures where the vectors are by a CLIP or SigLIP of yours, given again by --with; else with what
captions beside the pictures say, English or Chinese. Writes a row a hit, and a page with a contact sheet per query."""
BALANCE = """Weighs pictures so that what is there often does not drown the rest: clusters are communities of the graph
in which each picture is linked with its nearest, and rare captions may count more. Writes the weights, and a manifest
to train on: train lora --data FILE.jsonl. No picture is moved."""


def add_search(stages: Any) -> None:
    """`data search`."""
    parser = stages.add_parser("search", allow_abbrev=False, help="pictures like another or a text", description=SEARCH)
    parser.set_defaults(run=run_search)
    parser.add_argument("vectors", type=path, metavar="VECTORS.parquet")
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument("--picture", type=path, nargs="+", metavar="FILE", help="what pictures should look like")
    asked.add_argument("--text", type=text, nargs="+", metavar="TEXT", help="what pictures should show")
    add_out(parser)
    add_page(parser)
    parser.add_argument(
        "--most", type=integer(1, 10_000), default=24, metavar="N", help="hits of each query; default: 24"
    )
    parser.add_argument(
        "--with",
        dest="encoder",
        type=text,
        metavar="FOLDER",
        help="the CLIP or SigLIP that made the vectors; those that need no folder are known",
    )
    parser.add_argument("--device", metavar="D", help="of a folder's model; default: a GPU if there is one")


def run_search(options: argparse.Namespace) -> None:
    """Import what is needed, and run."""
    from .data_search import search_pictures

    search_pictures(options)


def add_balance(stages: Any) -> None:
    """`data balance`."""
    parser = stages.add_parser("balance", allow_abbrev=False, help="how often pictures are seen", description=BALANCE)
    parser.set_defaults(run=run_balance)
    parser.add_argument("vectors", type=path, metavar="VECTORS.parquet")
    add_out(parser)
    parser.add_argument("--manifest", type=path, metavar="FILE.jsonl", help="default: beside --out, under its name")
    parser.add_argument(
        "--alpha",
        type=share,
        default=0.5,
        metavar="A",
        help="0 shows clusters equally often, 1 as they are; default: 0.5",
    )
    parser.add_argument(
        "--rarity",
        type=nonnegative(10.0),
        default=0.0,
        metavar="R",
        help="weights rise with a caption's rarity to this power; default: 0",
    )
    parser.add_argument("--sample", type=integer(1, 10**9), metavar="N", help="draw so many by their weights")
    parser.add_argument("--copies", type=path, metavar="COPIES.parquet", help="of data dedup: only keepers are seen")
    parser.add_argument("--without", type=path, metavar="FILE.txt", help="pictures to leave out, a path a line")
    parser.add_argument("--caption", type=text, default="", metavar="TEXT", help="of pictures without one")
    parser.add_argument(
        "--neighbours", type=integer(1, 1000), default=10, metavar="N", help="each is linked with; default: 10"
    )
    parser.add_argument(
        "--resolution", type=number(0.0, 1000.0), default=1.0, metavar="R", help="more gives more clusters; default: 1"
    )
    parser.add_argument("--seed", type=integer(0, 2**31), default=0, metavar="N", help="of cells and --sample")


def run_balance(options: argparse.Namespace) -> None:
    """Import what is needed, and run."""
    from .data_balance import balance_pictures

    balance_pictures(options)
