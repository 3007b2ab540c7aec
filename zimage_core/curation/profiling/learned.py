"""Columns that models give: aesthetics, classes, faces, share of text, match with the caption.

Which there are, a person says; who measures is a score of `scoring`, asked for a few pictures at a time.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from PIL import Image

from ...scoring.score import Request, Score
from ..engine import unless_stopped
from .columns import Column
from .opened import same_picture

SIDE = 1024  # pixels: what models are shown is no larger
BATCH = 8  # pictures in memory at once


@dataclass
class LoadedOnce:
    """A score that is made when it is first needed, and asked by one thread at a time; sent elsewhere, made anew."""

    make: Callable[[], Score]
    _score: Score | None = field(default=None, repr=False)
    _lock: Any = field(default_factory=Lock, repr=False)

    def values(self, pictures: Sequence[Image.Image], requests: Sequence[Request]) -> list[float | None]:
        """A number for each picture, or None."""
        with self._lock:
            self._score = self._score or self.make()
            found = self._score(pictures, requests)
        return [each.value if each.value is not None and math.isfinite(each.value) else None for each in found]

    def __getstate__(self) -> dict[str, Any]:
        return {"make": self.make}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.make, self._score, self._lock = state["make"], None, Lock()


@dataclass(frozen=True, kw_only=True)
class LearnedColumn:
    """A column, and the score whose numbers stand in it."""

    column: Column
    identity: str  # changes with the numbers: digests of the model's files
    score: LoadedOnce
    reads_captions: bool = False  # of a picture's captions the one with the lowest number counts

    @property
    def name(self) -> str:
        """The column's."""
        return self.column.name

    def try_out(self) -> None:
        """Load the model and show it a blank picture. Raises ValueError with one sentence for what is missing."""
        self.score.values([Image.new("RGB", (64, 64))], [Request(prompt="a red circle")])


def learn(
    rows: Sequence[dict[str, Any]],
    learned: Sequence[LearnedColumn],
    most_pixels: int,
    captions: Sequence[Sequence[str]],
) -> None:
    """Fill the columns of rows whose pictures can be read; `captions` are those of each row."""
    readable = [number for number, row in enumerate(rows) if not row["problem"]]
    for first in unless_stopped(range(0, len(readable), BATCH)):
        some = readable[first : first + BATCH]
        shown = {number: shown_to_models(rows[number], most_pixels) for number in some}
        seen = {number: picture for number, picture in shown.items() if picture}
        for each in learned:
            values = values_of(each, seen, captions)
            for number, value in values.items():
                rows[number][each.name] = value


def values_of(
    each: LearnedColumn, pictures: Mapping[int, Image.Image], captions: Sequence[Sequence[str]]
) -> dict[int, float | None]:
    """Of pictures by their rows' numbers; one without a caption has no number where captions are read."""
    said = {number: captions[number] if each.reads_captions else ("",) for number in pictures}
    asked = [(number, text) for number, texts in said.items() for text in texts]
    if not asked:
        return {}
    found = each.score.values([pictures[number] for number, _ in asked], [Request(prompt=text) for _, text in asked])
    values: dict[int, float | None] = {}
    for (number, _), value in zip(asked, found, strict=True):
        before = values.get(number)
        values[number] = value if before is None else before if value is None else min(before, value)
    return values


def shown_to_models(row: Mapping[str, Any], most_pixels: int) -> Image.Image | None:
    """The picture of a row, at most `SIDE` pixels a side; None where its file has changed since."""
    picture = same_picture(row["path"], row["sha256"], most_pixels)
    if picture:
        picture.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC)
    return picture
