"""`zimage train`: a LoRA, or all weights, from a folder of pictures."""

import argparse
from typing import Any

from .arguments import integer, model, number, path, text
from .generate import MAX_SEED

MAX_STEPS, MAX_RANK, MAX_BATCH, MAX_TOKENS = 1_000_000, 1024, 4096, 10**7
OPTIMIZERS = ("adamw", "adafactor", "adamw8bit", "prodigy", "adamw-schedulefree")
DISTRIBUTIONS, WEIGHTINGS = ("logit-normal", "uniform"), ("none", "bell", "sigma2")


def add_train(verbs: Any) -> None:
    """Add the verb to what `ArgumentParser.add_subparsers` returned."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "train",
        allow_abbrev=False,
        help="a LoRA or a model from pictures",
        description="Trains adapters, or all weights.",
    )
    kinds = parser.add_subparsers(title="what is trained", metavar="KIND", required=True)
    add_lora(kinds)
    add_full(kinds)


def add_lora(kinds: Any) -> None:
    """`zimage train lora`."""
    parser: argparse.ArgumentParser = kinds.add_parser(
        "lora",
        allow_abbrev=False,
        help="a LoRA from a folder of pictures with captions",
        description="Trains a LoRA. It can be stopped at any time; the same command goes on where it was.",
    )
    parser.set_defaults(run=run_lora)
    add_shared(parser, lr=1e-4)
    parser.add_argument("--rank", type=integer(1, MAX_RANK), default=32, metavar="R")
    parser.add_argument("--alpha", type=number(0.0, 1e4), metavar="A", help="default: the rank")
    parser.add_argument("--trigger", type=text, default="", metavar="WORD", help="what to write in prompts; noted down")
    parser.add_argument("--adapter", type=path, metavar="FILE", help="a de-distillation LoRA for training on Turbo")
    parser.add_argument("--naming", choices=("ComfyUI", "diffusers"), default="ComfyUI", help="of the file's tensors")


def add_full(kinds: Any) -> None:
    """`zimage train full`."""
    parser: argparse.ArgumentParser = kinds.add_parser(
        "full",
        allow_abbrev=False,
        help="all weights of the transformer",
        description="Trains all weights, in float32: 20 bytes each. It can be stopped at any time; the same command "
        "goes on where it was.",
    )
    parser.set_defaults(run=run_full, adapter=None)
    add_shared(parser, lr=1e-5)


def add_shared(parser: argparse.ArgumentParser, *, lr: float) -> None:
    """What every kind of training asks."""
    parser.add_argument(
        "--model", type=model, required=True, help="nano, or a folder laid out as diffusers lays out its own"
    )
    parser.add_argument("--data", required=True, type=path, metavar="FOLDER", help="fox.jpg beside fox.txt, …")
    parser.add_argument(
        "--out", required=True, type=path, metavar="FILE.safetensors", help="the state goes to FILE.training beside it"
    )
    parser.add_argument(
        "--regularization", type=path, metavar="FOLDER", help="pictures with captions of what must not change"
    )
    parser.add_argument("--caption", type=text, default="", metavar="TEXT", help="of pictures without one")
    parser.add_argument("--steps", type=integer(1, MAX_STEPS), metavar="N", help="default: 100 a picture, 500 to 3000")
    parser.add_argument("--lr", type=number(0.0, 100.0), default=lr, help=f"learning rate; default: {lr:g}")
    parser.add_argument("--batch", type=integer(1, MAX_BATCH), default=1, metavar="N", help="pictures a step")
    parser.add_argument(
        "--token-budget", type=integer(1, MAX_TOKENS), default=4608, metavar="N", help="tokens that run at once"
    )
    parser.add_argument("--side", type=integer(16, 4096), metavar="PX", help="pictures get the area of this square")
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default="adamw")
    parser.add_argument("--levels", choices=DISTRIBUTIONS, default="logit-normal", help="distribution of noise levels")
    parser.add_argument("--shift", type=shift, default=1.0, metavar="K", help="of the levels toward noise, or dynamic")
    parser.add_argument("--weighting", choices=WEIGHTINGS, default="none", help="of the losses by noise level")
    parser.add_argument("--caption-dropout", type=share, default=0.05, metavar="P")
    parser.add_argument(
        "--accept-losing-8-steps", action="store_true", help="train on Turbo itself, which then needs more steps"
    )
    parser.add_argument("--seed", type=integer(0, MAX_SEED), default=0, metavar="N")
    parser.add_argument("--device", metavar="D", help="cpu, cuda, cuda:1, xpu or mps; default: a GPU if there is one")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), help="default: float32 on a CPU, else bfloat16")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def shift(value: str) -> float | str:
    """A positive number, or dynamic."""
    return value if value == "dynamic" else number(0.0, 1000.0)(value)


def share(value: str) -> float:
    """A number from 0 to 1."""
    return 0.0 if value in ("0", "0.0") else number(0.0, 1.0)(value)


def run_lora(options: argparse.Namespace) -> None:
    """Import what is needed, PyTorch among it, and run."""
    from .lora_run import train_from_options

    train_from_options(options)


def run_full(options: argparse.Namespace) -> None:
    """The same."""
    from .full_run import train_from_options

    train_from_options(options)
