"""`zimage merge`: fine-tunes and LoRAs into one model or one LoRA."""

import argparse
from typing import Any

from .arguments import integer, model, number, path, text

DESCRIPTION = """Merges fine-tunes and LoRAs, one parameter in memory at a time. A weight stands after a file's colon,
with factors for blocks if they differ: "tuned.safetensors:0.6 blocks 0-9=0.5 noise_refiner=0". With --base the
differences from it are added, each times its weight (1). Without one, fine-tunes are averaged, in equal shares unless
weights that sum to 1 are given. With --rank a LoRA is written: of the difference from the base, or where LoRAs alone
are given, of their sum. --search finds weights for groups of blocks by a score."""
MAX_RANK, MAX_SEED = 4096, 2**63 - 1


def add_merge(verbs: Any) -> None:
    """Add the verb to what `ArgumentParser.add_subparsers` returned."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "merge", allow_abbrev=False, help="fine-tunes and LoRAs into one", description=DESCRIPTION
    )
    parser.set_defaults(run=run_merge)
    parser.add_argument("files", type=text, nargs="+", metavar="FILE[:WEIGHT]", help="models, or LoRAs")
    parser.add_argument("--out", required=True, type=path, metavar="FILE.safetensors", help="what is written")
    parser.add_argument("--base", type=path, metavar="FILE", help="the model that the fine-tunes come from")
    parser.add_argument(
        "--method", choices=("sum", "ties", "dare"), default="sum", help="of joining differences; default: sum"
    )
    parser.add_argument(
        "--density", type=number(0.0, 1.0), metavar="SHARE", help="of values kept; default: 0.2 (ties), 0.5 (dare)"
    )
    parser.add_argument("--seed", type=integer(0, MAX_SEED), default=0, metavar="N", help="of dare; default: 0")
    parser.add_argument("--rank", type=integer(1, MAX_RANK), metavar="R", help="write a LoRA of this rank")
    parser.add_argument(
        "--dtype", choices=("bfloat16", "float16", "float32"), help="default: the base's own; bfloat16 for a LoRA"
    )
    add_search(parser.add_argument_group("of a search"))
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def add_search(group: Any) -> None:
    """What a search for the best weights is given."""
    group.add_argument(
        "--search",
        nargs="?",
        const="coordinate",
        choices=("coordinate", "cma"),
        help="find the weights by a score; every picture stays in FILE.search, where the same command goes on",
    )
    group.add_argument("--score", type=text, default="nano's scene", metavar="NAME", help="default: nano's scene")
    group.add_argument("--budget", type=integer(3, 100_000), default=20, metavar="N", help="merges tried; default: 20")
    group.add_argument("--prompts", type=path, metavar="FILE.txt", help="that are drawn, one a line")
    group.add_argument("--seeds", type=integer(1, 1000), default=2, metavar="N", help="of each prompt; default: 2")
    group.add_argument("--groups", type=text, default="", metavar="BLOCKS", help='such as "0-9 10-29 rest"')
    group.add_argument("--model", type=model, default="nano", help="whose encoder and decoder draw; default: nano")
    group.add_argument("--steps", type=integer(1, 1000), metavar="N", help="default: the model's own")
    group.add_argument("--device", metavar="D", help="that draws; default: a GPU if there is one")


def run_merge(options: argparse.Namespace) -> None:
    """Import what is needed, PyTorch among it, and run."""
    from .merging_run import write_merge

    write_merge(options)
