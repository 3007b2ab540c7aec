"""`zimage evaluate`: a model's pictures, or a folder's, measured by a suite of prompts."""

import argparse
import re
from typing import Any

from .arguments import integer, lora, model, path, size, text
from .generate import MAX_SEED, MAX_STEPS

SUITE_NAMES = (
    "nano",
    "nano-geneval",
    "cvtg-2k",
    "longtext",
    "longtext-zh",
    "oneig-text",
    "oneig-text-zh",
    "oneig-alignment",
    "oneig-alignment-zh",
    "oneig-diversity",
    "oneig-diversity-zh",
    "oneig-reasoning",
    "oneig-reasoning-zh",
    "oneig-style",
    "oneig-style-zh",
    "geneval",
    "geneval2",
    "dpg",
    "tiif-short",
    "tiif-long",
    "tiif-text-short",
    "tiif-text-long",
    "prism",
    "prism-zh",
)
READERS = ("rapidocr", "tesseract")
DESCRIPTION = """Measures pictures by a suite of prompts and writes report.json, report.csv and report.html into --out.
Prompts are read from the authors' own files, of which none comes with this program; nano's need none. The same command
goes on where it was stopped."""


def add_evaluate(verbs: Any) -> None:
    """Add the verb to what `ArgumentParser.add_subparsers` returned."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "evaluate", allow_abbrev=False, help="pictures measured by a suite of prompts", description=DESCRIPTION
    )
    parser.set_defaults(run=run_evaluate)
    parser.add_argument("suite", choices=SUITE_NAMES, metavar="SUITE", help=", ".join(SUITE_NAMES))
    parser.add_argument("--prompts", type=path, metavar="FOLDER", help="with the authors' prompt files")
    pictures = parser.add_mutually_exclusive_group(required=True)
    pictures.add_argument(
        "--images", type=path, metavar="FOLDER", help="pictures, laid out as the authors lay out theirs"
    )
    pictures.add_argument(
        "--model", type=model, help="draw the pictures: nano, or a folder laid out as diffusers lays out its own"
    )
    parser.add_argument("--out", required=True, type=path, metavar="FOLDER", help="the only folder that is written to")
    parser.add_argument(
        "--name", type=plain_name, metavar="NAME", help="of the model, in the report and in its folders"
    )
    parser.add_argument("--seed", type=integer(0, MAX_SEED // 2), default=0, metavar="N", help="of the first picture")
    parser.add_argument("--limit", type=integer(1, 10**6), metavar="N", help="only so many prompts, evenly spaced")
    parser.add_argument("--shard", type=shard, default=(1, 1), metavar="I/N", help="only this part, without a report")
    parser.add_argument("--corrected", action="store_true", help="count without the slips of the authors' programs")
    parser.add_argument("--reader", choices=READERS, default=READERS[0], help="of text in pictures")
    parser.add_argument("--detector", type=path, metavar="FOLDER", help="of objects, as transformers saves one")
    parser.add_argument(
        "--clip", type=path, metavar="FOLDER", help="a CLIP model: colours of objects, answers, diversity"
    )
    parser.add_argument("--dreamsim", type=path, metavar="FOLDER", help="with DreamSim's files, for diversity")
    parser.add_argument(
        "--references",
        type=path,
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="a vision model with references.safetensors, for styles or answers; of two the mean counts",
    )
    parser.add_argument(
        "--judge", metavar="URL", help="of a vision model that answers, grades or reads: an address of yours"
    )
    parser.add_argument("--judge-model", default="", metavar="NAME", help="of the model behind --judge")
    parser.add_argument("--steps", type=integer(1, MAX_STEPS), metavar="N", help="default: the model's own")
    parser.add_argument("--size", type=size, metavar="WxH", help="in pixels, multiples of 16")
    parser.add_argument(
        "--lora", type=lora, nargs="+", action="extend", default=[], metavar="FILE[:STRENGTH]", help="strength: 1"
    )
    parser.add_argument("--device", metavar="D", help="cpu, cuda, cuda:1, xpu or mps; default: a GPU if there is one")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), help="default: float32 on a CPU, else bfloat16")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def run_evaluate(options: argparse.Namespace) -> None:
    """Import what is needed, PyTorch among it, and run."""
    from .suite_run import run_suite

    run_suite(options)


def plain_name(value: str) -> str:
    """A name that may be that of a folder."""
    if not re.fullmatch(r"[\w+-][\w.+ -]{0,63}", text(value)):
        raise argparse.ArgumentTypeError(f"{value!r} cannot name a folder: choose letters, digits, - and _")
    return value


def shard(value: str) -> tuple[int, int]:
    """A part and the number of parts: "2/8"."""
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", value)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise argparse.ArgumentTypeError(f"{value!r} is no part such as 2/8")
    return int(found[1]), int(found[2])
