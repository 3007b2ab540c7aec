"""`zimage train`: a LoRA, or all weights, from a folder of pictures; or what a recipe says."""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from types import MappingProxyType
from typing import Any

from ..recipes.options import Config, option_of
from ..recipes.recipe_file import TRAIN, read_recipe, stages_of
from ..recipes.sources import Sources
from ..recipes.training_config import KINDS, LoraConfig, TrainingConfig
from ..recipes.values import Choice, Kind, Number, Place, Switch, Text, Texts, Whole
from .arguments import integer, model, number, number_or, path, share, text


def add_train(verbs: Any) -> None:
    """Add the verb to what `ArgumentParser.add_subparsers` returned. Options that are not given are not set."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "train",
        allow_abbrev=False,
        help="a LoRA or a model from pictures",
        description="Trains a LoRA or, in float32 with 20 bytes each, all weights of the transformer. It can be "
        "stopped at any time; the same command goes on where it was, with a recipe if it says --resume.",
    )
    parser.set_defaults(run=run_train)
    parser.add_argument("what", metavar="lora|full|RECIPE.toml", type=path, help="options replace a recipe's keys")
    parser.add_argument("--resume", action="store_true", help="go on with the state that is there")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    shared = {each.name for each in fields(TrainingConfig)}
    add_options(parser, [each for each in fields(LoraConfig) if each.name in shared])
    for name, kind in KINDS.items():
        own = [each for each in fields(kind) if each.name not in shared]
        add_options(parser.add_argument_group(f"of {name} alone"), own)


def add_options(
    parser: Any, declared: "list[Field[Any]]", kinds: Mapping[str, type[Config]] = MappingProxyType(KINDS)
) -> None:
    """An option of each field, with its defaults in all `kinds` of configs."""
    for each in declared:
        option = option_of(each)
        settings: dict[str, Any] = {"default": argparse.SUPPRESS, "help": told(each, kinds), **typed(option.kind)}
        if option.metavar:
            settings["metavar"] = option.metavar
        parser.add_argument(f"--{each.name.replace('_', '-')}", **settings)


def told(declared: "Field[Any]", kinds: Mapping[str, type[Config]]) -> str:
    """What a field is, with its default where it has one."""
    defaults = {kind: each.default for kind, each in of_each_kind(declared.name, kinds) if is_told(each.default)}
    values = {kind: f"{value:g}" if isinstance(value, float) else str(value) for kind, value in defaults.items()}
    is_one = len(set(values.values())) == 1
    named = next(iter(values.values())) if is_one else ", ".join(f"{value} ({kind})" for kind, value in values.items())
    default = f"default: {named}" if values else ""
    return "; ".join(filter(None, (option_of(declared).help, default)))


def of_each_kind(name: str, kinds: Mapping[str, type[Config]]) -> "list[tuple[str, Field[Any]]]":
    """The fields of that name, with the kind of training they belong to."""
    return [(kind, each) for kind, config in kinds.items() for each in fields(config) if each.name == name]


def is_told(default: object) -> bool:
    """Whether a default says something."""
    return default not in (MISSING, None, False, "", ())


def typed(kind: Kind) -> dict[str, Any]:
    """How argparse reads a kind of value."""
    match kind:
        case Choice():
            return {"choices": kind.names}
        case Switch():
            return {"action": "store_true"}
        case Texts():
            return {"type": text, "nargs": "+", "action": "extend"}
        case _:
            return {"type": parser_of(kind)}


def parser_of(kind: Kind) -> Callable[[str], Any]:
    """What reads one word of the command line."""
    match kind:
        case Whole():
            return integer(kind.low, kind.high)
        case Number(word=None):
            return share if kind.has_low else number(kind.low, kind.high)
        case Number():
            return number_or(kind.low, kind.high, str(kind.word))
        case Place() | Sources():
            return path
        case Text(may_be_empty=False):
            return model
        case _:
            return text


def run_train(options: argparse.Namespace) -> None:
    """Import what is needed, PyTorch among it, and run."""
    from .training_run import train_stages

    known = {each.name for kind in KINDS.values() for each in fields(kind)}
    given = {name: value for name, value in vars(options).items() if name in known}
    is_recipe = str(options.what) not in KINDS
    stages = read_recipe(options.what, given) if is_recipe else stages_of({TRAIN: str(options.what)}, given)
    train_stages(stages, may_resume=options.resume or not is_recipe, is_json=options.json)
