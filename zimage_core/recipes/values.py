"""Kinds of values in a recipe: each checks one as TOML holds it, and says in half a sentence what is wrong."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable


@runtime_checkable
class Kind(Protocol):
    """What a setting may be."""

    def checked(self, value: object) -> Any:
        """The value, in the type that is worked with. Raises ValueError for one that it may not be."""
        ...


@dataclass(frozen=True)
class Whole:
    """Whole numbers from `low` to `high`."""

    low: int
    high: int

    def checked(self, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not self.low <= value <= self.high:
            raise ValueError(f"{value!r} is not a whole number from {self.low} to {self.high}")
        return value


@dataclass(frozen=True)
class Number:
    """Numbers above `low`, or from it on, up to `high`; or one word."""

    low: float
    high: float
    has_low: bool = False
    word: str | None = None

    def checked(self, value: object) -> float | str:
        if self.word is not None and value == self.word:
            return self.word
        number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
        if not (self.low < number <= self.high or (self.has_low and number == self.low)):
            first = "from" if self.has_low else "above"
            last = "to" if self.has_low else "and up to"
            other = f" or {self.word}" if self.word else ""
            raise ValueError(f"{value!r} is not a number {first} {self.low:g} {last} {self.high:g}{other}")
        return number


@dataclass(frozen=True)
class Text:
    """Any text; an empty one only where that means something."""

    may_be_empty: bool = True

    def checked(self, value: object) -> str:
        if not isinstance(value, str):
            raise ValueError(f"{value!r} is not a text in quotation marks")
        if not self.may_be_empty and not value.strip():
            raise ValueError("it is empty")
        return value


@dataclass(frozen=True)
class Texts:
    """A list of texts."""

    def checked(self, value: object) -> tuple[str, ...]:
        if not isinstance(value, list | tuple):
            raise ValueError(f"{value!r} is not a list of texts in square brackets")
        return tuple(Text(may_be_empty=False).checked(each) for each in cast("list[object]", value))


@dataclass(frozen=True)
class Place:
    """A file or a folder."""

    def checked(self, value: object) -> Path:
        return value if isinstance(value, Path) else Path(Text(may_be_empty=False).checked(value))


@dataclass(frozen=True)
class Choice:
    """One of some words."""

    names: tuple[str, ...]

    def checked(self, value: object) -> str:
        if value not in self.names:
            raise ValueError(f"{value!r} is none of {', '.join(self.names)}")
        return cast("str", value)


@dataclass(frozen=True)
class Switch:
    """true or false."""

    def checked(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise ValueError(f"{value!r} is neither true nor false")
        return value
