"""A verb that takes a recipe or the same settings as options, and goes on with a run that was stopped."""

import argparse
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from ..recipes.roles_config import RolesConfig
from .arguments import path
from .train import add_options


def add_recipe_verb(
    verbs: Any,
    name: str,
    config: type[RolesConfig],
    run: Callable[[argparse.Namespace], None],
    *,
    about: str,
    told: str,
) -> None:
    """Add it to what `ArgumentParser.add_subparsers` returned; `about` is a line, `told` the whole.

    Options that are not given are not set.
    """
    parser: argparse.ArgumentParser = verbs.add_parser(name, allow_abbrev=False, help=about, description=told)
    parser.set_defaults(run=run)
    parser.add_argument("recipe", metavar="RECIPE.toml", nargs="?", type=path, help="options replace its keys")
    parser.add_argument("--resume", action="store_true", help="go on with the state that is there")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    shared = {each.name for each in fields(RolesConfig)}
    own_first = sorted(fields(config), key=lambda each: each.name in shared)
    add_options(parser, own_first, {name: config})


def given(options: argparse.Namespace, config: type[RolesConfig]) -> dict[str, Any]:
    """The settings that the options say."""
    known = {each.name for each in fields(config)}
    return {key: value for key, value in vars(options).items() if key in known}


def may_resume(options: argparse.Namespace) -> bool:
    """Whether a run that has begun goes on: always where options alone say what it is."""
    return options.resume or options.recipe is None
