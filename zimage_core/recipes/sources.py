"""What is trained on: one folder, or several, each with its share of the pictures that a run sees."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, cast

from .options import Config, checked, option
from .values import Number, Place

MOST_WEIGHT = 1e6


@dataclass(frozen=True, kw_only=True)
class Source(Config):
    """A folder among others, as a table of `data`."""

    folder: Path = option(Place())
    weight: float = option(Number(0.0, MOST_WEIGHT), 1.0)  # its share is this divided by the sum of all
    shift: float | Literal["dynamic"] | None = option(Number(0.0, 1000.0, word="dynamic"), None)  # None: the run's


@dataclass(frozen=True)
class Sources:
    """A folder, or a list of tables with folders and their weights."""

    def checked(self, value: object) -> Path | tuple[Source, ...]:
        if not isinstance(value, list | tuple):
            return Place().checked(value)
        if not value:
            raise ValueError("it lists no folder")
        return tuple(each if isinstance(each, Source) else _source(each) for each in cast("list[object]", value))


def _source(table: object) -> Source:
    if not isinstance(table, dict):
        raise ValueError(f'{table!r} is no table such as {{folder = "pictures", weight = 4}}')
    known, values = {each.name: each for each in fields(Source)}, cast("dict[str, Any]", table)
    if unknown := [key for key in values if key not in known]:
        raise ValueError(f"there is no key {unknown[0]} in a table of folders; there are {', '.join(known)}")
    if "folder" not in values:
        raise ValueError("a table lacks the key folder")
    return Source(**{name: checked(known[name], value) for name, value in values.items()})
