"""Up to three axes of a grid, the settings of its pictures, and the labels beside them.

Pictures are counted along x, then y, then z: from left to right, then down, then sheet by sheet.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import PurePosixPath
from typing import TypeVar

from .sheet import Layout
from .values import Choices, Kind, Lines, Numbers, Replacements, Value, shown

NO_AXIS = "none"
MOST_PICTURES = 256
FILE_ENDINGS = (".safetensors", ".gguf", ".ckpt", ".pt", ".sft")

Each = TypeVar("Each")


@dataclass(frozen=True, kw_only=True)
class Axis:
    """What varies in one direction; `name` is NO_AXIS and there are no values where nothing does."""

    letter: str
    name: str
    kind: Kind | None = None
    title: str = ""  # what labels call it, in another language; its name if empty
    values: tuple[Value, ...] = ()

    def labels(self) -> list[str]:
        """One a value; texts speak for themselves, numbers and names have their axis before them."""
        return [self._label(value) for value in self.values] or [""]

    def _label(self, value: Value) -> str:
        match self.kind:
            case Numbers():
                return f"{self.title or self.name} {shown(value)}"
            case Choices():
                path = PurePosixPath(str(value).replace("\\", "/"))
                return path.stem if path.suffix.lower() in FILE_ENDINGS else str(value)
            case _:
                return str(value)


def parse_axis(letter: str, name: str, text: str, kind: Kind | None, title: str = "") -> Axis:
    """An axis from what is written; a value that is written twice counts once. Raises ValueError with one sentence."""
    if name == NO_AXIS or kind is None:
        return Axis(letter=letter, name=NO_AXIS)
    try:
        values = tuple(dict.fromkeys(kind.parse(text)))
    except ValueError as error:
        raise ValueError(f"{letter} axis, {name}: {error}") from error
    if not values:
        raise ValueError(
            f"{letter} axis, {name}: no values are written. Write for example {kind.example}, or set the axis to none."
        )
    return Axis(letter=letter, name=name, kind=kind, values=values, title=title)


def check(axes: Sequence[Axis], prompt: str) -> None:
    """Refuse what makes no grid, with one sentence (ValueError): an axis twice, too many pictures, words not there."""
    by_name: dict[str, Axis] = {}
    for axis in axes:
        if axis.values and axis.name in by_name:
            raise ValueError(
                f"{by_name[axis.name].letter} axis and {axis.letter} axis are both {axis.name}. Choose another one for "
                f"{axis.letter}, or none."
            )
        by_name[axis.name] = axis
    count = prod(len(axis.labels()) for axis in axes)
    if count > MOST_PICTURES:
        raise ValueError(f"This grid would have {count} pictures, and the most is {MOST_PICTURES}. Write fewer values.")
    prompts = [str(value) for axis in axes if isinstance(axis.kind, Lines) for value in axis.values] or [prompt]
    for axis in axes:
        if isinstance(axis.kind, Replacements) and not any(str(axis.values[0]) in each for each in prompts):
            raise ValueError(
                f"{axis.letter} axis, {axis.name}: '{axis.values[0]}' does not stand in the prompt. The first value is "
                "what the others replace; write it as it stands there."
            )


def cells(axes: Sequence[Axis]) -> list[dict[str, Value]]:
    """For each picture in order, the value of every axis by its name; `axes` are x, y and z."""
    names = [axis.name for axis in reversed(axes) if axis.values]
    return [dict(zip(names, values, strict=True)) for values in _combined([a.values for a in axes if a.values])]


def layout_of(axes: Sequence[Axis]) -> Layout:
    """Labels of columns, rows and sheets."""
    columns, rows, sheets = (axis.labels() for axis in axes)
    return Layout(columns=columns, rows=rows, sheets=sheets)


def picture_labels(layout: Layout, batch: int = 1) -> list[str]:
    """For each picture in order, its labels in one line; those of a cell of `batch` pictures are numbered."""
    combined = _combined([layout.columns, layout.rows, layout.sheets])
    lines = [", ".join(label for label in reversed(labels) if label) for labels in combined]
    numbers = [f"({number} / {batch})" for number in range(1, batch + 1)] if batch > 1 else [""]
    return [f"{line} {number}".strip() for line in lines for number in numbers]


def _combined(columns: Sequence[Sequence[Each]]) -> Iterator[tuple[Each, ...]]:
    """All combinations, z first in each and x varying fastest."""
    return product(*reversed(columns))
