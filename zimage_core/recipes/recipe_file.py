"""A recipe: a TOML file that says what is trained, with keys as the command line has options.

`train` is "lora" or "full"; the other keys are the fields of its config class. Tables `[[stage]]` follow one another
on the same weights, each with what it changes of the keys above them.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar, cast

from ..toml_file import read_toml
from .options import Config, checked
from .training_config import KINDS, OF_THE_RUN, TrainingConfig

TRAIN, STAGE, NAME = "train", "stage", "name"
Kind = TypeVar("Kind", bound=Config)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One run after another on the same weights."""

    name: str  # of its folder in the state; empty where there is but one
    config: TrainingConfig


def read_recipe(
    file: Path, changes: Mapping[str, object], defaults: Mapping[str, object] = MappingProxyType({})
) -> tuple[Stage, ...]:
    """The stages of a file, with `changes` instead of what it says, and `defaults` where it says nothing.

    Raises ValueError with one sentence that names the key that is unknown, missing or of a wrong type.
    """
    table = read_toml(file)
    try:
        return stages_of({**defaults, **table}, changes)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error


def stages_of(table: Mapping[str, object], changes: Mapping[str, object]) -> tuple[Stage, ...]:
    """The stages of a parsed file."""
    keys = dict(table)
    kind = keys.pop(TRAIN, None)
    if kind not in KINDS:
        raise ValueError(f"{TRAIN} has to be {' or '.join(map(repr, KINDS))}, and is {kind!r}")
    listed = keys.pop(STAGE, [{}])
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in cast("list[object]", listed)):
        raise ValueError(f"{STAGE} is no list of tables: write [[{STAGE}]] above each")
    tables = cast("list[dict[str, object]]", listed)
    stages = [_stage(KINDS[str(kind)], number, keys, each, changes) for number, each in enumerate(tables, 1)]
    names = [each.name for each in stages]
    if len(tables) > 1 and len(set(names)) < len(names):
        raise ValueError(f"two stages are called {next(each for each in names if names.count(each) > 1)!r}")
    return tuple(stages)


def _stage(
    kind: type[TrainingConfig],
    number: int,
    keys: Mapping[str, object],
    own: Mapping[str, object],
    changes: Mapping[str, object],
) -> Stage:
    name = own.get(NAME, str(number)) if own else ""
    if not isinstance(name, str) or not all(each.isalnum() or each in " -_" for each in name):
        raise ValueError(f"{NAME} of a stage has to be letters, digits, spaces, - and _, and is {name!r}")
    if of_run := [key for key in own if key in OF_THE_RUN]:
        raise ValueError(f"{of_run[0]} holds for all stages: write it above the first [[{STAGE}]]")
    own = {key: value for key, value in own.items() if key != NAME}
    return Stage(name=name, config=config_of(kind, {**keys, **own, **changes}, f"{_name_of(kind)} is trained"))


def config_of(kind: type[Kind], values: Mapping[str, Any], what: str) -> Kind:
    """A config from its fields' values, where `what` happens. Raises ValueError that names what is wrong."""
    known = {each.name: each for each in fields(kind)}
    if unknown := [key for key in values if key not in known]:
        raise ValueError(f"there is no key {unknown[0]} where {what}{_meant(unknown[0], known)}")
    if missing := [name for name, each in known.items() if each.default is MISSING and name not in values]:
        raise ValueError(f"the key {missing[0]} is missing")
    return kind(**{name: checked(known[name], value) for name, value in values.items()})


def config_in(file: Path | None, kind: type[Kind], changes: Mapping[str, object], what: str) -> Kind:
    """A config of a file without stages, with `changes` instead of what it says, or of `changes` alone.

    Raises ValueError with one sentence that names the key that is unknown, missing or of a wrong type.
    """
    if file is None:
        return config_of(kind, changes, what)
    table = read_toml(file)
    try:
        return config_of(kind, {**table, **changes}, what)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error


def _name_of(kind: type[TrainingConfig]) -> str:
    return next(name for name, each in KINDS.items() if each is kind)


def _meant(word: str, known: Iterable[str]) -> str:
    """What somebody may have meant."""
    near = difflib.get_close_matches(word, [*known, TRAIN, STAGE], 1, cutoff=0.75)
    return f"; {near[0]} is meant?" if near else ""
