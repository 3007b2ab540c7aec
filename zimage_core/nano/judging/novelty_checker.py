"""Whether a picture shows what nano has never drawn: a cross, brown, or brown on black (`data/novelties.py`)."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..data.novelties import BROWN, COLOUR, SHAPE, Novelty
from ..data.render import SIDE, pixels
from ..data.scenes import COLOURS, COLUMNS, ROWS, Scene
from .checker import (
    TEMPLATE_RADII,
    TOLERANCE,
    Array,
    alpha,
    centered_mask,
    centroid,
    nearest_colour,
    nearest_ground,
    nearest_template,
    palette,
    template_bank,
)

Mask = NDArray[np.bool_]


def is_shown(novelty: Novelty, picture: Image.Image, scene: Scene) -> bool:
    """Whether a picture shows the novelty as the scene asks for it."""
    if novelty is SHAPE:
        return is_cross(picture, scene.colour)
    return is_brown(picture, scene) and (novelty is COLOUR or is_placed_on_ground(picture, scene))


def is_cross(picture: Image.Image, colour: str) -> bool:
    """Whether a picture's object has this colour and is nearer to a cross than to any shape that nano knows."""
    image, behind, mask = parted(picture)
    found = nearest_colour(image, mask)
    coverage = alpha(image, behind, palette(found))
    y, x = centroid(coverage * mask)
    centered = np.roll(coverage, (round((0.5 - y) * SIDE), round((0.5 - x) * SIDE)), axis=(0, 1))
    known = np.abs(template_bank(SIDE)[1] - centered).sum((1, 2)).min()
    own = min(np.abs(centered_mask("cross", radius, SIDE) - centered).sum() for radius in TEMPLATE_RADII)
    return found == colour and bool(own < known)


def is_brown(picture: Image.Image, scene: Scene) -> bool:
    """Whether a picture's object has the scene's shape and is nearer to brown than to any colour that nano knows."""
    image, behind, mask = parted(picture)
    if not mask.any():
        return False
    median = np.median(image[mask], axis=0)
    own = np.square(brown() - median).sum()
    known = min(np.square(palette(name) - median).sum() for name in COLOURS)
    coverage = alpha(image, behind, brown())
    shape, _ = nearest_template(coverage, *centroid(coverage * mask))
    return bool(own < known) and shape == scene.shape


def is_placed_on_ground(picture: Image.Image, scene: Scene) -> bool:
    """Whether a picture's brown object stands where the scene has it, on the scene's ground."""
    image, behind, mask = parted(picture)
    y, x = centroid(alpha(image, behind, brown()) * mask)
    place = min(ROWS, key=lambda row: abs(ROWS[row] - y)), min(COLUMNS, key=lambda column: abs(COLUMNS[column] - x))
    return place == scene.position and nearest_ground(image)[0] == scene.ground


def parted(picture: Image.Image) -> tuple[Array, Array, Mask]:
    """A picture, its ground, and where the two differ."""
    image = pixels(picture)
    _, behind = nearest_ground(image)
    return image, behind, np.abs(image - behind).max(-1) > TOLERANCE


def brown() -> Array:
    """The new colour's channels in [0, 1]."""
    return np.array(BROWN, dtype=np.float32) / np.float32(255)
