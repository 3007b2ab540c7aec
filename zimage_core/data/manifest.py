"""A manifest: a table of pictures anywhere, each line with its captions and how often it is seen beside the others.

`{"file_name": "fox.jpg", "captions": ["a fox"], "weight": 2.5}`. Paths begin at the manifest's folder; a weight is 1
where none is told, and 0 leaves a picture out. Captions stand as in the tables of a folder.
"""

import json
from array import array
from pathlib import Path

from .captions import Row, captions_in, rows_of
from .example import Example, ExamplesByPlace

ENDING = ".jsonl"
FINENESS = 4  # repeats of the smallest weight where weights differ: others are off by an eighth at most
MOST_RATIO = 1000.0  # smaller weights than a thousandth of the largest count as that
CHECKED = 2000  # lines whose captions are read at once


class ManifestExamples(ExamplesByPlace):
    """Examples that are read when they are asked for; 24 bytes of a line are in memory."""

    def __init__(self, file: Path, caption: str = "") -> None:
        self._file, self._caption = file, caption
        self._offsets, self._numbers, self._weights = array("q"), array("q"), array("d")
        for row in rows_of(file):
            if weight := weight_of(row, f"{file}, line {row.number},"):
                self._offsets.append(row.offset)
                self._numbers.append(row.number)
                self._weights.append(weight)
        if not self._offsets:
            raise ValueError(f"{file} names no picture with a weight above 0; there is nothing to learn")
        self._one = max(min(self._weights), max(self._weights) / MOST_RATIO)
        self._fineness = FINENESS if max(self._weights) > min(self._weights) else 1

    def __len__(self) -> int:
        return len(self._offsets)

    def at(self, place: int) -> Example:
        offset = self._offsets[place]
        captions = captions_in(self._file, offset) or ((self._caption,) if self._caption else ())
        picture = self._file.parent / self._name(offset)
        if not captions:
            raise ValueError(
                f"{self._line(place)} says nothing of {picture}: write what the picture shows, or give one caption "
                "for all"
            )
        return Example(picture=picture, captions=captions, repeats=self.repeats_of(self._weights[place]))

    def repeats_of(self, weight: float) -> int:
        """How often a picture of that weight is seen in an epoch."""
        return max(1, round(self._fineness * weight / self._one))

    def check(self) -> None:
        """Read the first, so that a fault is told before anything is encoded."""
        for place in range(min(CHECKED, len(self))):
            if not (picture := self.at(place).picture).is_file():
                raise ValueError(
                    f"{self._line(place)} names {picture}, which is not there: put it back, or remove the line"
                )

    def _line(self, place: int) -> str:
        """Where an example stands, for a person."""
        return f"{self._file}, line {self._numbers[place]},"

    def _name(self, offset: int) -> str:
        with self._file.open("rb") as opened:
            opened.seek(offset)
            return str(json.loads(opened.readline().decode("utf-8-sig"))["file_name"])


def read_manifest(file: Path, caption: str = "") -> ManifestExamples:
    """The examples of a manifest; `caption` is for those without. Raises ValueError with one sentence."""
    if not file.is_file():
        raise ValueError(f"there is no manifest {file} to train on")
    examples = ManifestExamples(file, caption)
    examples.check()
    return examples


def weight_of(row: Row, place: str) -> float:
    """That of a line that names a picture. Raises ValueError with one sentence."""
    weight = row.values.get("weight", 1.0)
    if not isinstance(row.values.get("file_name"), str):
        raise ValueError(f'{place} names no picture: it needs a "file_name"')
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < float("inf"):
        raise ValueError(f"{place} weighs {weight!r}: write a number from 0 on as its weight")
    return float(weight)
