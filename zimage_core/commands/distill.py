"""`zimage distill`: a base model becomes one of few steps."""

import argparse
from typing import Any

from ..recipes.distillation_config import DistillationConfig, read_distillation
from .recipe_verb import add_recipe_verb, given, may_resume

ABOUT = "a base model becomes one of few steps"
TOLD = """Trains a LoRA with which a base model draws in few steps without guidance, from prompts alone. It can be
stopped at any time; the same command goes on where it was, with a recipe if it says --resume."""


def add_distill(verbs: Any) -> None:
    """Add the verb to what `ArgumentParser.add_subparsers` returned."""
    add_recipe_verb(verbs, "distill", DistillationConfig, run_distill, about=ABOUT, told=TOLD)


def run_distill(options: argparse.Namespace) -> None:
    """Import what is needed, PyTorch among it, and run."""
    from .distillation_run import distill_student

    config = read_distillation(options.recipe, given(options, DistillationConfig))
    distill_student(config, may_resume=may_resume(options), is_json=options.json)
