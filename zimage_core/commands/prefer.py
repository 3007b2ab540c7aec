"""`zimage prefer`: a model learns a taste, from rewards of what it draws or from pairs of pictures."""

import argparse
from typing import Any

from ..recipes.preference_config import PreferenceConfig, read_preference
from .recipe_verb import add_recipe_verb, given, may_resume

ABOUT = "a model learns a taste, from rewards or from pairs of pictures"
TOLD = """Trains a LoRA with which a model draws more of what a score rewards (grpo, nft) or of what was chosen in pairs
of pictures (dpo). It can be stopped at any time; the same command goes on where it was, with a recipe if it says
--resume."""


def add_prefer(verbs: Any) -> None:
    """Add the verb to what `ArgumentParser.add_subparsers` returned."""
    add_recipe_verb(verbs, "prefer", PreferenceConfig, run_prefer, about=ABOUT, told=TOLD)


def run_prefer(options: argparse.Namespace) -> None:
    """Import what is needed, PyTorch among it, and run."""
    from .preference_run import learn_taste

    config = read_preference(options.recipe, given(options, PreferenceConfig))
    learn_taste(config, may_resume=may_resume(options), is_json=options.json)
