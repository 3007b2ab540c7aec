"""`zimage alike`: how much a folder's pictures differ, which are copies, and how far they are from another folder's."""

import argparse
from typing import Any

from .arguments import number, path

DESCRIPTION = """Looks at the pictures of FOLDER, subfolders among them, as a network sees them: EfficientNet from its
package, your CLIP or DreamSim. Tells how much they differ, which are copies of one another, and with OTHER how far the
two sets are apart, each with an interval."""


def add_alike(verbs: Any) -> None:
    """Add the verb to what `ArgumentParser.add_subparsers` returned."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "alike", allow_abbrev=False, help="diversity, copies and distance of pictures", description=DESCRIPTION
    )
    parser.set_defaults(run=run_alike)
    parser.add_argument("folder", type=path, metavar="FOLDER")
    parser.add_argument("other", type=path, nargs="?", metavar="OTHER")
    looks = parser.add_mutually_exclusive_group()
    looks.add_argument("--clip", type=path, metavar="FOLDER", help="a CLIP or SigLIP model that looks")
    looks.add_argument("--dreamsim", type=path, metavar="FOLDER", help="with DreamSim's files, which looks")
    parser.add_argument("--cache", type=path, metavar="FILE", help="where what was seen is kept for the next time")
    parser.add_argument(
        "--least",
        type=number(0.0, 1.0),
        default=0.98,
        metavar="COSINE",
        help="of copies at the least; default: 0.98",
    )
    parser.add_argument("--device", metavar="D", help="cpu, cuda, cuda:1, xpu or mps; default: a GPU if there is one")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def run_alike(options: argparse.Namespace) -> None:
    """Import what is needed, PyTorch among it, and run."""
    from .picture_sets import tell_sets

    tell_sets(options)
