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
    no object and are left out. Raises ValueError for another number of lists, for what are no boxes, and where none of
    them has a label: nobody looked for objects then, and none found would not mean that none is there.
    """

    name = "the detector of the boxes"

    def __init__(self, pictures: Sequence[Image.Image], boxes: Any) -> None:
        lists = boxes_of_pictures(boxes) or [[]]
        if len(lists) not in (1, len(pictures)):
            raise ValueError(
                f"Pictures with bounding boxes: {len(lists)}; pictures here: {len(pictures)}. Connect the boxes that a "
                "detector found in these very pictures."
            )
        if any(lists) and not any(box.label for of_one in lists for box in of_one):
            raise ValueError(
                "The boxes connected here do not tell what is in them. Connect those of a detector that names objects, "
                "such as ComfyUI's RT-DETR."
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
