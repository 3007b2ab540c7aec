"""`zimage distill`: a base model becomes one of few steps."""

import argparse
from dataclasses import fields
from typing import Any

from ..recipes.distillation_config import DistillationConfig, read_distillation
from .arguments import path
from .train import add_options


def add_distill(verbs: Any) -> None:
    """Add the verb to what `ArgumentParser.add_subparsers` returned. Options that are not given are not set."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "distill",
        allow_abbrev=False,
        help="a base model becomes one of few steps",
        description="Trains a LoRA with which a base model draws in few steps without guidance, from prompts alone. It "
        "can be stopped at any time; the same command goes on where it was, with a recipe if it says --resume.",
    )
    parser.set_defaults(run=run_distill)
    parser.add_argument("recipe", metavar="RECIPE.toml", nargs="?", type=path, help="options replace its keys")
    parser.add_argument("--resume", action="store_true", help="go on with the state that is there")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    add_options(parser, list(fields(DistillationConfig)), {"distill": DistillationConfig})


def run_distill(options: argparse.Namespace) -> None:
    """Import what is needed, PyTorch among it, and run."""
    from .distillation_run import distill_student

    known = {each.name for each in fields(DistillationConfig)}
    config = read_distillation(options.recipe, {key: value for key, value in vars(options).items() if key in known})
    distill_student(config, may_resume=options.resume or options.recipe is None, is_json=options.json)
