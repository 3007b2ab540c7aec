"""How much of a picture is text: the area of the boxes in which a reader read, each place counted once."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from ..score import Measurement, Request
from .reader import Line, Reader

LEAST_CONFIDENCE = 0.5  # of a line: texture that is taken for letters stays below


class TextShareScore:
    """0 for a picture without text, 1 for one that is all text."""

    name, higher_is_better = "text share", False

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    @property
    def reader(self) -> str:
        """That of the lines."""
        return self._reader.name

    def __call__(self, pictures: Sequence[Image.Image], requests: Sequence[Request]) -> list[Measurement]:
        """One number a picture; of the request only the language is read."""
        return [self._measured(*each) for each in zip(pictures, requests, strict=True)]

    def _measured(self, picture: Image.Image, request: Request) -> Measurement:
        lines = [each for each in self._reader.read(picture, request.language) if each.confidence >= LEAST_CONFIDENCE]
        if any(line.box is None for line in lines):
            return Measurement.missing(f"{self.reader} does not tell where it read")
        notes = "\n".join(line.text for line in lines)
        return Measurement(value=covered(lines, picture.size), parts={"lines": len(lines)}, notes=notes)


def covered(lines: Sequence[Line], size: tuple[int, int]) -> float:
    """The share of a picture (width, height) that lies in any of the lines' boxes."""
    is_text = np.zeros(size[::-1], bool)
    for left, top, right, bottom in (line.box for line in lines if line.box):
        is_text[max(0, round(top)) : max(0, round(bottom)), max(0, round(left)) : max(0, round(right))] = True
    return float(is_text.mean())
