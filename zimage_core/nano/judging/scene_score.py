"""nano's checker as a score and as a detector, so that scoring, evaluation and rewards can use its small world.

Pictures of another size are averaged down to the renderer's side first, as the checker compares with its drawings.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from ...scoring.detection import Detection
from ...scoring.score import Measurement, Request
from ..data.render import SIDE, at_renderers_side, pixels
from ..data.scenes import ATTRIBUTES, Scene
from .checker import TOLERANCE, check, nearest_ground
from .edit_checker import connected_components, read_object

READER = "nano's checker"


class SceneScore:
    """The share of a scene's attributes that a picture shows: shape, colour, size, position and ground.

    The scene is the request's `rules`: {"shape": "circle", "colour": "red", "size": "large", "row": "top", "column":
    "left", "ground": "white"}.
    """

    name, reader, higher_is_better = "scene", READER, True

    def __call__(self, pictures: Sequence[Image.Image], requests: Sequence[Request]) -> list[Measurement]:
        """One number a picture, each attribute among its parts."""
        return [measured(picture, request.rules) for picture, request in zip(pictures, requests, strict=True)]


class SceneDetector:
    """Shapes on the grounds that the renderer knows, with their colours."""

    name = READER

    def detect(self, picture: Image.Image) -> Sequence[Detection]:
        """Every object apart from the others, its box in the picture's own pixels."""
        image = pixels(at_renderers_side(picture))
        _, behind = nearest_ground(image)
        found: list[Detection] = []
        for mask in connected_components(np.abs(image - behind).max(-1) > TOLERANCE):
            seen = read_object(image, behind, mask)
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            across, down = picture.width / SIDE, picture.height / SIDE
            box = columns[0] * across, rows[0] * down, (columns[-1] + 1) * across, (rows[-1] + 1) * down
            left, top, right, bottom = (float(edge) for edge in box)
            found.append(Detection(name=seen.shape, colour=seen.colour, box=(left, top, right, bottom)))
        return found


def measured(picture: Image.Image, rules: Mapping[str, object]) -> Measurement:
    """A picture's number for one scene."""
    unknown = [name for name, values in ATTRIBUTES.items() if rules.get(name) not in values]
    if unknown:
        name = unknown[0]
        return Measurement.missing(
            f"the request names {rules.get(name)!r} as {name}; a scene's {name} is one of {', '.join(ATTRIBUTES[name])}"
        )
    score = check(at_renderers_side(picture), Scene(**{name: str(rules[name]) for name in ATTRIBUTES}))
    parts = {name: float(is_right) for name, is_right in vars(score).items()}
    return Measurement(value=sum(parts.values()) / len(parts), parts=parts)
