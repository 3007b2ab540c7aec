"""Recognizes the scene in a picture by template matching against the renderer.

Its scores of generated pictures are only meaningful beside those of real renders and of autoencoder reconstructions;
`judge` prints all three.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..data.render import draw_mask, ground, pixels
from ..data.scenes import COLOURS, COLUMNS, GROUNDS, ROWS, SHAPES, SIZES, Scene

Array = NDArray[np.float32]

TOLERANCE = 0.12  # a pixel this close to a ground, in the farthest channel, belongs to it
TEMPLATE_RADII = tuple(round(float(radius), 4) for radius in np.linspace(0.1, 0.25, 16))


@dataclass(frozen=True, kw_only=True)
class Score:
    """Whether each attribute of a picture is the one that was asked for."""

    shape: bool
    colour: bool
    size: bool
    position: bool
    ground: bool


def check(picture: Image.Image, scene: Scene) -> Score:
    """Compare the scene recognized in a picture with the wanted one."""
    recognized = recognize(picture)
    return Score(
        shape=recognized.shape == scene.shape,
        colour=recognized.colour == scene.colour,
        size=recognized.size == scene.size,
        position=recognized.position == scene.position,
        ground=recognized.ground == scene.ground,
    )


def recognize(picture: Image.Image) -> Scene:
    """The scene that best explains a picture of any size."""
    image = pixels(picture)
    name, behind = nearest_ground(image)
    object_mask = np.abs(image - behind).max(-1) > TOLERANCE
    colour = nearest_colour(image, object_mask)
    coverage = alpha(image, behind, palette(colour))
    y, x = centroid(coverage * object_mask)
    shape, radius = nearest_template(coverage, y, x)
    return Scene(
        shape=shape,
        colour=colour,
        size=min(SIZES, key=lambda size: abs(SIZES[size] - radius)),
        row=min(ROWS, key=lambda row: abs(ROWS[row] - y)),
        column=min(COLUMNS, key=lambda column: abs(COLUMNS[column] - x)),
        ground=name,
    )


def nearest_ground(image: Array) -> tuple[str, Array]:
    """The ground most pixels agree with, and its picture; pixels count more the closer they agree."""
    height, width = image.shape[:2]
    grounds = {name: pixels(ground(name, (width, height))) for name in GROUNDS}

    def agreement(name: str) -> float:
        distance = np.abs(image - grounds[name]).max(-1)
        return float(np.exp(-((distance / TOLERANCE) ** 2)).mean())

    best = max(GROUNDS, key=agreement)
    return best, grounds[best]


def nearest_colour(image: Array, mask: NDArray[np.bool_]) -> str:
    """The palette's colour nearest to the median of the object's pixels."""
    if not mask.any():
        return "red"
    median = np.median(image[mask], axis=0)
    return min(COLOURS, key=lambda name: float(np.square(palette(name) - median).sum()))


def palette(name: str) -> Array:
    """A colour's channels in [0, 1]."""
    return np.array(COLOURS[name], dtype=np.float32) / np.float32(255)


def alpha(image: Array, behind: Array, colour: Array) -> Array:
    """How far every pixel has gone from the ground to the colour, 0-1."""
    direction = colour - behind
    along = ((image - behind) * direction).sum(-1) / np.maximum(np.square(direction).sum(-1), 1e-4)
    return along.clip(0, 1)


def centroid(weight: Array) -> tuple[float, float]:
    """The weight's centre (y, x) in parts of the sides; the middle if there is no weight."""
    total = float(weight.sum())
    if total == 0:
        return 0.5, 0.5
    down, across = ((np.arange(side) + 0.5) / side for side in weight.shape)
    return float((weight.sum(1) * down).sum() / total), float((weight.sum(0) * across).sum() / total)


def nearest_template(coverage: Array, y: float, x: float) -> tuple[str, float]:
    """The shape and radius whose exact drawing around the same centroid differs least from the coverage."""
    height, width = coverage.shape
    side = min(height, width)
    centered = np.roll(coverage, (round((0.5 - y) * height), round((0.5 - x) * width)), axis=(0, 1))
    top, left = (height - side) // 2, (width - side) // 2
    names, templates = template_bank(side)
    differences = np.abs(templates - centered[top : top + side, left : left + side]).sum((1, 2))
    return names[int(differences.argmin())]


@cache
def template_bank(side: int) -> tuple[list[tuple[str, float]], Array]:
    """Coverage of every shape at every radius, its centroid in the middle of a square picture."""
    names = [(shape, radius) for shape in SHAPES for radius in TEMPLATE_RADII]
    return names, np.stack([centered_mask(*name, side) for name in names])


def centered_mask(shape: str, radius: float, side: int) -> Array:
    """One exact drawing, moved so that its centroid is the middle."""
    y, x = centroid(mask_values(shape, 0.5, 0.5, radius, side))
    return mask_values(shape, 1 - x, 1 - y, radius, side)


def mask_values(shape: str, x: float, y: float, radius: float, side: int) -> Array:
    """An exact drawing's coverage, 0-1."""
    return np.asarray(draw_mask(shape, x, y, radius, 0.0, (side, side))).astype(np.float32) / np.float32(255)
