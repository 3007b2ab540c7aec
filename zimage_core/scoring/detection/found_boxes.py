"""Boxes that ComfyUI's own detection nodes found, as a detector for GenEval's rules and the objects of a prompt."""

from collections.abc import Sequence
from typing import Any

from PIL import Image

from ...bounding_boxes import BoundingBox, boxes_of_pictures
from ..pixels_digest import pixels_digest
from .detector import Detection, DetectorError


class FoundBoxes:
    """Tells of each of some pictures what was found in it before; it looks at no other.

    `boxes` is ComfyUI's BOUNDING_BOX: a list for each picture, or one that holds for all. Boxes without a label name
    no object and are left out. Raises ValueError for another number of lists, or for what are no boxes.
    """

    name = "the detector of the boxes"

    def __init__(self, pictures: Sequence[Image.Image], boxes: Any) -> None:
        lists = boxes_of_pictures(boxes) or [[]]
        if len(lists) not in (1, len(pictures)):
            raise ValueError(
                f"There are bounding boxes of {len(lists)} pictures and {len(pictures)} pictures. Connect the boxes "
                "that a detector found in these very pictures."
            )
        of_each = lists * len(pictures) if len(lists) == 1 else lists
        self.names = sorted({box.label for of_one in lists for box in of_one if box.label})
        self._found = {
            pixels_digest(picture): [detection(box, picture) for box in of_one if box.label]
            for picture, of_one in zip(pictures, of_each, strict=True)
        }

    def detect(self, picture: Image.Image) -> Sequence[Detection]:
        """The labelled boxes of a picture, by its pixels."""
        found = self._found.get(pixels_digest(picture))
        if found is None:
            raise DetectorError("nobody looked for objects in this picture; connect boxes of the same pictures")
        return found


def detection(box: BoundingBox, picture: Image.Image) -> Detection:
    """A box as what a rule reads."""
    left, top, width, height = box.in_pixels((picture.height, picture.width))
    return Detection(name=box.label, box=(left, top, left + width, top + height), confidence=box.score)
