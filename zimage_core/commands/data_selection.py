"""The stages of `zimage data` that choose: search, balance, and curate."""

import argparse
from typing import Any

from .arguments import integer, lora, model, nonnegative, number, path, share, size, text
from .data_outputs import add_out, add_page

SEARCH = """Lists the pictures nearest to a picture, as the encoder sees it that made the vectors, or to words. Words
are compared with pictures where the vectors are by a CLIP or SigLIP of yours, given again by --with; else with what
captions beside the pictures say, English or Chinese. Writes a row a hit, and a page with a contact sheet per query."""
BALANCE = """Weighs pictures so that what is there often does not drown the rest: clusters are communities of the graph
in which each picture is linked with its nearest, and rare captions may count more. Writes the weights, and a manifest
to train on: train lora --data FILE.jsonl. No picture is moved."""
CURATE = """A round of curation: the model draws every concept, a score says which it draws worst, rare ones count more,
and pictures of the pool are proposed for them, those with fitting captions or, by --with, looks. The proposal is a file
to read and edit; --accept writes what to train on next. --before tells whether concepts got better since a round."""


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


def add_curate(stages: Any) -> None:
    """`data curate`."""
    parser = stages.add_parser("curate", allow_abbrev=False, help="what a model lacks", description=CURATE)
    parser.set_defaults(run=run_curate)
    parser.add_argument("concepts", type=path, metavar="CONCEPTS", help=".txt, .jsonl, or data graph's .parquet")
    parser.add_argument("--model", type=model, required=True, metavar="M", help="nano, or a folder")
    parser.add_argument("--score", type=text, required=True, metavar="NAME", help="nano's scene, word accuracy, …")
    parser.add_argument("--pool", type=path, required=True, metavar="VECTORS.parquet", help="of data embed")
    parser.add_argument("--out", type=path, required=True, metavar="FOLDER", help="of this round")
    parser.add_argument("--data", type=path, metavar="FOLDER", help="what is trained on now: a folder or a manifest")
    parser.add_argument("--caption", type=text, default="", metavar="TEXT", help="of its pictures without one")
    parser.add_argument("--before", type=path, metavar="FOLDER", help="of an earlier round, to compare with")
    parser.add_argument("--accept", choices=("all", "edited"), help="write manifest.jsonl of the proposal")
    parser.add_argument("--per-concept", type=integer(1, 1000), default=4, metavar="N", help="pictures; default: 4")
    parser.add_argument("--most-concepts", type=integer(1, 100_000), default=1000, metavar="N", help="default: 1000")
    parser.add_argument("--worst", type=integer(1, 100_000), default=10, metavar="N", help="concepts; default: 10")
    parser.add_argument("--candidates", type=integer(1, 10_000), default=20, metavar="N", help="of each; default: 20")
    parser.add_argument("--rarity", type=nonnegative(10.0), default=1.0, metavar="R", help="its power; default: 1")
    parser.add_argument(
        "--with", dest="encoder", type=text, metavar="FOLDER", help="the CLIP or SigLIP that made the pool's vectors"
    )
    parser.add_argument("--seed", type=integer(0, 2**31), default=0, metavar="N", help="of the first picture")
    parser.add_argument("--steps", type=integer(1, 1000), metavar="N", help="default: the model's own")
    parser.add_argument("--size", type=size, metavar="WxH", help="in pixels, multiples of 16")
    parser.add_argument(
        "--lora", type=lora, nargs="+", action="extend", default=[], metavar="FILE[:STRENGTH]", help="strength: 1"
    )
    parser.add_argument("--device", metavar="D", help="cpu, cuda, …; default: a GPU if there is one")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), help="default: float32 on a CPU, else bfloat16")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def run_curate(options: argparse.Namespace) -> None:
    """Import what is needed, PyTorch among it, and run."""
    from .data_curation import curate

    curate(options)
