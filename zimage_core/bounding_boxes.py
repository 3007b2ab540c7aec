"""ComfyUI's bounding boxes, as its detectors and Create Bounding Boxes give them, read in one place.

A BOUNDING_BOX is a dictionary of x, y, width and height in pixels, of a detector also label and score; an element has a
bbox of top, left, bottom and right in thousandths of the picture. Either comes alone, in a list, or in a list of lists,
one for each picture.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

SIDES = ("x", "y", "width", "height")
ELEMENT_SIDE = 1000  # of the picture, in an element


@dataclass(frozen=True, kw_only=True)
class BoundingBox:
    """One box, which may reach out of the picture."""

    left: float
    top: float
    width: float
    height: float
    unit: Literal["pixel", "part"] = "pixel"  # a part is 0 to 1 of the picture's side
    label: str = ""  # what a detector takes it for
    score: float = 1.0  # how sure a detector is, 0 to 1

    def in_pixels(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        """Left, top, width and height in a picture of (height, width) pixels."""
        down, across = (1, 1) if self.unit == "pixel" else size
        return self.left * across, self.top * down, self.width * across, self.height * down


def boxes_of_pictures(given: Any) -> list[list[BoundingBox]]:
    """The boxes of each picture, or one list for all; no list for nothing. ValueError for what are no boxes."""
    match given:
        case None | []:
            return []
        case Mapping():
            return [[box_of(given)]]
        case [list() | tuple(), *_]:
            return [[box_of(each) for each in of_one] for of_one in given]
        case list() | tuple():
            return [[box_of(each) for each in given]]
        case _:
            raise ValueError(
                f"The boxes connected here are {type(given).__name__}, not ComfyUI's bounding boxes. Connect the "
                "output of a detector, or a mask instead."
            )


def box_of(given: Any) -> BoundingBox:
    """One box or element; ValueError where one of its numbers is none."""
    try:
        if "bbox" in given:
            top, left, bottom, right = (float(each) / ELEMENT_SIDE for each in given["bbox"])
            numbers, unit = (left, top, right - left, bottom - top), "part"
        else:
            numbers, unit = tuple(float(given[side]) for side in SIDES), "pixel"
        left, top, width, height = numbers
        label, score = str(given.get("label") or ""), float(given.get("score", 1.0))
        if not all(map(math.isfinite, (*numbers, score))):
            raise ValueError
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ValueError(
            f"A box has x, y, width and height, or a bbox of four numbers, but {str(given)[:60]!r} arrived here. "
            "Connect the boxes of a detector or of Create Bounding Boxes, or a mask instead."
        ) from None
    return BoundingBox(left=left, top=top, width=width, height=height, unit=unit, label=label, score=score)
