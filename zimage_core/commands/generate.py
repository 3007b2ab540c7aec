"""`zimage generate`: a picture of a prompt."""

import argparse
from typing import Any

from .arguments import integer, lora, model, number, path, size, text

MAX_STEPS, MAX_SEED, MAX_GIGABYTES = 1000, 2**64 - 1, 1e6


def add_generate(verbs: Any) -> None:
    """Add the verb to what `ArgumentParser.add_subparsers` returned."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "generate", allow_abbrev=False, help="a picture of a prompt", description="Makes a picture of a prompt."
    )
    parser.set_defaults(run=run_generate)
    parser.add_argument("prompt", type=text)
    parser.add_argument(
        "--model", type=model, required=True, help="nano, or a folder laid out as diffusers lays out its own"
    )
    parser.add_argument("--out", required=True, type=path, metavar="FILE.png", help="the only file that is written")
    parser.add_argument("--seed", type=integer(0, MAX_SEED), default=0, metavar="N")
    parser.add_argument("--steps", type=integer(1, MAX_STEPS), metavar="N", help="default: the model's own")
    parser.add_argument("--size", type=size, metavar="WxH", help="in pixels, multiples of 16")
    parser.add_argument("--negative", type=text, default="", metavar="TEXT", help="what the picture should not show")
    parser.add_argument(
        "--reference",
        type=path,
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="pictures to look at, with an Omni or Edit model, or with a LoRA that was trained on pairs",
    )
    parser.add_argument(
        "--lora", type=lora, nargs="+", action="extend", default=[], metavar="FILE[:STRENGTH]", help="strength: 1"
    )
    parser.add_argument(
        "--memory-limit", type=number(0.0, MAX_GIGABYTES), metavar="GB", help="of the device's memory; on a CPU, of RAM"
    )
    parser.add_argument(
        "--allow", choices=("int8", "fp8"), help="8-bit weights, not exact, if the limit is too small for exact ones"
    )
    parser.add_argument("--device", metavar="D", help="cpu, cuda, cuda:1, xpu or mps; default: a GPU if there is one")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), help="default: float32 on a CPU, else bfloat16")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def run_generate(options: argparse.Namespace) -> None:
    """Import what is needed, PyTorch among it, and run."""
    from .picture import write_picture

    write_picture(options)
