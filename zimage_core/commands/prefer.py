"""`zimage prefer`: a model learns a taste, from rewards of what it draws or from pairs of pictures."""

import argparse
from dataclasses import fields
from typing import Any

from ..recipes.preference_config import PreferenceConfig, read_preference
from .arguments import path
from .train import add_options


def add_prefer(verbs: Any) -> None:
    """Add the verb to what `ArgumentParser.add_subparsers` returned. Options that are not given are not set."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "prefer",
        allow_abbrev=False,
        help="a model learns a taste, from rewards or from pairs of pictures",
        description="Trains a LoRA with which a model draws more of what a score rewards (grpo, nft) or of what was "
        "chosen in pairs of pictures (dpo). It can be stopped at any time; the same command goes on where it was, with "
        "a recipe if it says --resume.",
    )
    parser.set_defaults(run=run_prefer)
    parser.add_argument("recipe", metavar="RECIPE.toml", nargs="?", type=path, help="options replace its keys")
    parser.add_argument("--resume", action="store_true", help="go on with the state that is there")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    add_options(parser, list(fields(PreferenceConfig)), {"prefer": PreferenceConfig})


def run_prefer(options: argparse.Namespace) -> None:
    """Import what is needed, PyTorch among it, and run."""
    from .preference_run import learn_taste

    known = {each.name for each in fields(PreferenceConfig)}
    config = read_preference(options.recipe, {key: value for key, value in vars(options).items() if key in known})
    learn_taste(config, may_resume=options.resume or options.recipe is None, is_json=options.json)
