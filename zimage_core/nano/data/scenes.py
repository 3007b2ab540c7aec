"""Descriptions of nano's pictures: coloured shapes at a position on a ground.

Text-to-image draws a scene, which has one object; editing works on a composition, which has up to two. Rendering,
captions and checks all derive from these frozen descriptions. Some combinations are held out of training by hash, so
the split is the same on every machine.
"""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product

SHAPES = ("circle", "square", "triangle", "star", "heart", "ring")
COLOURS = {
    "red": (222, 42, 42),
    "orange": (245, 140, 25),
    "yellow": (248, 216, 45),
    "green": (46, 165, 70),
    "cyan": (40, 195, 205),
    "blue": (45, 85, 222),
    "purple": (135, 60, 190),
    "pink": (245, 120, 180),
}
SIZES = {"small": 0.125, "large": 0.215}  # radius as a part of the picture's side
COLUMNS = {"left": 0.25, "middle": 0.5, "right": 0.75}
ROWS = {"top": 0.25, "middle": 0.5, "bottom": 0.75}
GROUNDS = ("white", "black", "grey", "sky", "stripes", "checks")

ATTRIBUTES = {
    "shape": SHAPES,
    "colour": tuple(COLOURS),
    "size": tuple(SIZES),
    "row": tuple(ROWS),
    "column": tuple(COLUMNS),
    "ground": GROUNDS,
}

HELD_OUT_PERCENT = 12  # of the combinations of shape, colour, position and ground are never trained on

# Minimum distance of two objects' centers, in sums of their radii, so that no corner, rotation or jitter makes them
# touch: two small ones, or a small and a large one, half a picture apart; two large ones in opposite corners.
MIN_DISTANCE_FACTOR = 1.45


def is_hash_held_out(name: str) -> bool:
    """Whether a combination of this name is reserved for judging."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % 100 < HELD_OUT_PERCENT


@dataclass(frozen=True, kw_only=True)
class SceneObject:
    """One object, without a ground."""

    shape: str
    colour: str
    size: str
    row: str
    column: str

    @property
    def position(self) -> tuple[str, str]:
        """Row and column."""
        return self.row, self.column

    def is_apart_from(self, other: "SceneObject") -> bool:
        """Whether the two cannot touch under any jitter."""
        distance = math.hypot(COLUMNS[self.column] - COLUMNS[other.column], ROWS[self.row] - ROWS[other.row])
        return distance >= MIN_DISTANCE_FACTOR * (SIZES[self.size] + SIZES[other.size])


@dataclass(frozen=True, kw_only=True)
class Composition:
    """Objects that do not touch and differ in shape, on a ground."""

    ground: str
    objects: tuple[SceneObject, ...] = ()

    def __post_init__(self) -> None:
        for one, other in combinations(self.objects, 2):
            if one.shape == other.shape:
                raise ValueError(f"two objects are both called {one.shape}; no instruction could tell them apart")
            if not one.is_apart_from(other):
                raise ValueError(f"a {one.shape} at {one.position} touches a {other.shape} at {other.position}")

    @property
    def shows_held_out_scene(self) -> bool:
        """Whether an object on this ground is a held-out scene of text-to-image."""
        return any(Scene(**vars(obj), ground=self.ground).is_held_out for obj in self.objects)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One object on a ground."""

    shape: str
    colour: str
    size: str
    row: str
    column: str
    ground: str

    @property
    def position(self) -> tuple[str, str]:
        """Row and column."""
        return self.row, self.column

    @property
    def is_held_out(self) -> bool:
        """Whether this combination of shape, colour, position and ground is reserved for judging."""
        return is_hash_held_out(f"{self.shape} {self.colour} {self.row} {self.column} {self.ground}")

    @property
    def object(self) -> SceneObject:
        """The object."""
        return SceneObject(shape=self.shape, colour=self.colour, size=self.size, row=self.row, column=self.column)

    @property
    def composition(self) -> Composition:
        """The same picture as a composition."""
        return Composition(ground=self.ground, objects=(self.object,))


def every_scene() -> Iterator[Scene]:
    """All combinations, 5184 of them."""
    for shape, colour, size, row, column, ground in product(SHAPES, COLOURS, SIZES, ROWS, COLUMNS, GROUNDS):
        yield Scene(shape=shape, colour=colour, size=size, row=row, column=column, ground=ground)


def training_scenes() -> list[Scene]:
    """Scenes for training."""
    return [scene for scene in every_scene() if not scene.is_held_out]


def held_out_scenes() -> list[Scene]:
    """Scenes for judging."""
    return [scene for scene in every_scene() if scene.is_held_out]
