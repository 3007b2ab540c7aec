"""`zimage data`: the data engine, one word a stage, each from a file to a file."""

import argparse
from typing import Any

from .arguments import integer, number, path, text
from .data_graph import add_graph
from .data_outputs import add_out, add_page
from .data_selection import add_balance, add_curate, add_search

PROFILE = """Measures every picture in FOLDER and below: what it is, how much is in it, how good it is technically;
damaged files have a reason instead of numbers. Writes one row a picture, and a page with a contact sheet per finding.
Thresholds are proposed from these pictures' own distribution; nothing is applied, no picture is changed. What --learned
adds is by models of yours; where a profile is there already, only new columns are computed."""

EMBED = """Makes a vector of every picture of a profile that can be read, and a small look at it. perceptual needs no
model and finds copies; nano is the built-in vision tower, efficientnet comes in a package, a folder is a CLIP or SigLIP
of yours, which also knows what pictures mean."""
DEDUP = """Lists every picture with its cluster, the picture that is kept instead of it, and why. Copies are near by
their vectors and the same by their looks: compressed again, slightly cropped, mirrored. Nothing is deleted."""


def add_data(verbs: Any) -> None:
    """Add the verb to what `ArgumentParser.add_subparsers` returned."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "data", allow_abbrev=False, help="what is in a folder of pictures, and which are copies"
    )
    stages = parser.add_subparsers(title="stages", metavar="STAGE", required=True)
    add_profile(stages)
    add_embed(stages)
    add_dedup(stages)
    add_search(stages)
    add_balance(stages)
    add_graph(stages)
    add_curate(stages)


def add_profile(stages: Any) -> None:
    """`data profile`."""
    parser = stages.add_parser("profile", allow_abbrev=False, help="measure a folder's pictures", description=PROFILE)
    parser.set_defaults(run=run_profile)
    parser.add_argument("folder", type=path, metavar="FOLDER")
    add_out(parser)
    add_page(parser)
    parser.add_argument(
        "--most-megapixels",
        type=number(0.0, 1000.0),
        default=100.0,
        metavar="N",
        help="larger pictures are not decoded; default: 100",
    )
    parser.add_argument(
        "--learned",
        type=text,
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME[=FILE]",
        help="columns by models: similarity with the caption, text_share, scene (nano's), aesthetic=HEAD.safetensors, "
        "faces=YUNET.onnx, and any class of a classifier of yours: a head over features, an .onnx file or a folder",
    )
    parser.add_argument(
        "--with", dest="encoder", type=text, metavar="ENCODER", help="that --learned looks through, as for data embed"
    )
    parser.add_argument("--device", metavar="D", help="of models in folders; default: a GPU if there is one")
    parser.add_argument("--keep-dates", action="store_true", help="keep when pictures were taken, from their EXIF data")


def run_profile(options: argparse.Namespace) -> None:
    """Import what is needed, and run."""
    from .data_stages import profile_folder

    profile_folder(options)


def add_embed(stages: Any) -> None:
    """`data embed`."""
    parser = stages.add_parser("embed", allow_abbrev=False, help="pictures as vectors", description=EMBED)
    parser.set_defaults(run=run_embed)
    parser.add_argument("profile", type=path, metavar="PROFILE.parquet")
    add_out(parser)
    parser.add_argument(
        "--with",
        dest="encoder",
        type=text,
        default="perceptual",
        metavar="ENCODER",
        help="perceptual (default), nano, efficientnet, or the folder of a CLIP or SigLIP",
    )
    parser.add_argument("--device", metavar="D", help="of a folder's model; default: a GPU if there is one")


def add_dedup(stages: Any) -> None:
    """`data dedup`."""
    parser = stages.add_parser("dedup", allow_abbrev=False, help="which pictures are copies", description=DEDUP)
    parser.set_defaults(run=run_dedup)
    parser.add_argument("vectors", type=path, metavar="VECTORS.parquet")
    add_out(parser)
    parser.add_argument(
        "--least", type=number(0.0, 1.0), default=0.9, metavar="COSINE", help="of copies' vectors; default: 0.9"
    )
    parser.add_argument(
        "--most-difference",
        type=number(0.0, 100.0),
        default=16.0,
        metavar="PERCENT",
        help="of copies' looks once aligned; default: 16",
    )
    parser.add_argument("--vectors-only", action="store_true", help="do not compare looks: copies by meaning")
    parser.add_argument(
        "--neighbours", type=integer(1, 1000), default=20, metavar="N", help="looked at of each picture; default: 20"
    )
    parser.add_argument(
        "--sample", type=integer(1, 100_000), default=200, metavar="N", help="compared with all; default: 200"
    )
    parser.add_argument("--seed", type=integer(0, 2**31), default=0, metavar="N", help="of cells and sample")


def run_embed(options: argparse.Namespace) -> None:
    """Import what is needed, PyTorch among it, and run."""
    from .data_vectors import embed_pictures

    embed_pictures(options)


def run_dedup(options: argparse.Namespace) -> None:
    """Import what is needed, and run."""
    from .data_vectors import list_duplicates

    list_duplicates(options)
