"""Fields of a config class that say what they may hold: files, the command line and nodes read them from there."""

from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, NamedTuple

from .values import Kind


class Option(NamedTuple):
    """What a setting may be, and what is told of it."""

    kind: Kind
    help: str
    metavar: str | None


def option(kind: Kind, default: Any = MISSING, *, help: str = "", metavar: str | None = None) -> Any:  # noqa: A002
    """A field of a config class; required without a default, and never set where that is None."""
    return field(default=default, metadata={"option": Option(kind, help, metavar)})


def option_of(declared: "Field[Any]") -> Option:
    """What a field was declared with."""
    found: Option = declared.metadata["option"]
    return found


def checked(declared: "Field[Any]", value: object) -> Any:
    """A field's value in its type. Raises ValueError that begins with the field's name."""
    if value is None and declared.default is None:
        return None
    try:
        return option_of(declared).kind.checked(value)
    except ValueError as error:
        raise ValueError(f"{declared.name}: {error}") from error


@dataclass(frozen=True, kw_only=True)
class Config:
    """Checks its fields when it is made. Raises ValueError that begins with the field's name."""

    def __post_init__(self) -> None:
        for each in fields(self):
            checked(each, getattr(self, each.name))
