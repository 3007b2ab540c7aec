"""Numbers of pictures as a plot for a page to draw: bars, or lines over an axis of numbers. Plain data."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

NUMBERED = re.compile(r"(.+) (-?\d+(?:\.\d+)?)")  # "steps 4", as an axis of numbers labels its pictures
OF_BATCH = re.compile(r" \(\d+ / \d+\)$")
JOINT = ", "  # between a label's parts
MOST_LINES = 6


@dataclass(frozen=True, kw_only=True)
class Line:
    """Points from left to right, on one of two scales."""

    name: str
    points: tuple[tuple[float, float], ...]
    scale: Literal["left", "right"] = "left"


@dataclass(frozen=True, kw_only=True)
class Plot:
    """Either bars, each with its label, or lines over an axis of that name."""

    bars: tuple[tuple[str, float], ...] = ()
    intervals: tuple[tuple[float, float] | None, ...] = ()  # of each bar, or none at all
    lines: tuple[Line, ...] = ()
    axis: str = ""
    measured: str = ""  # what the left scale tells, where lines do not say it
    limit: float | None = None  # a height to stay below, on the right scale
    limit_name: str = ""
    chosen: float | None = None  # a place on the axis


def plot_of(labels: Sequence[str], values: Sequence[float | None], measured: str = "") -> Plot | None:
    """Numbers of what is `measured` by their pictures' labels; those without one are left out, one alone is no plot.

    Lines where every label begins or ends with the same name and a number, the mean where one stands for several.
    """
    known = [(OF_BATCH.sub("", label), value) for label, value in zip(labels, values, strict=True) if value is not None]
    if len(known) < 2:
        return None
    for is_first in (True, False):
        parts = [_divided(label, is_first=is_first) for label, _ in known]
        found = [NUMBERED.fullmatch(part) for part, _ in parts]
        names = {each.group(1) if each else "" for each in found}
        if len(names) != 1 or names == {""}:
            continue
        places = [(rest, float(each.group(2))) for each, (_, rest) in zip(found, parts, strict=True) if each]
        lines = tuple(_lines(places, [value for _, value in known]))
        if len(lines) <= MOST_LINES and all(len(each.points) > 1 for each in lines):
            return Plot(lines=lines, axis=names.pop(), measured=measured)
    return Plot(bars=tuple(known), measured=measured)


def _divided(label: str, *, is_first: bool) -> tuple[str, str]:
    """A label's first or last part, and the rest."""
    if is_first:
        part, _, rest = label.partition(JOINT)
    else:
        rest, _, part = label.rpartition(JOINT)
    return part, rest


def _lines(places: Sequence[tuple[str, float]], values: Sequence[float]) -> Iterator[Line]:
    """One for each rest of the labels, in their order."""
    for name in dict.fromkeys(rest for rest, _ in places):
        at: dict[float, list[float]] = {}
        for (rest, x), value in zip(places, values, strict=True):
            if rest == name:
                at.setdefault(x, []).append(value)
        yield Line(name=name, points=tuple((x, sum(at[x]) / len(at[x])) for x in sorted(at)))
