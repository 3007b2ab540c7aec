"""What a nano picture can show: one coloured shape, somewhere, on some ground.

A scene is a frozen description; rendering, captions and checks are all made from it. Some combinations are
held out of training by hash, so that held-out means held out on every machine and for ever.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

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
        """Whether this combination of shape, colour, position and ground is kept for judging."""
        name = f"{self.shape} {self.colour} {self.row} {self.column} {self.ground}"
        return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % 100 < HELD_OUT_PERCENT


def every_scene() -> Iterator[Scene]:
    """All combinations, 5184 of them."""
    for shape, colour, size, row, column, ground in product(SHAPES, COLOURS, SIZES, ROWS, COLUMNS, GROUNDS):
        yield Scene(shape=shape, colour=colour, size=size, row=row, column=column, ground=ground)


def training_scenes() -> list[Scene]:
    """Those a model may learn from."""
    return [scene for scene in every_scene() if not scene.is_held_out]


def held_out_scenes() -> list[Scene]:
    """Those it is judged by."""
    return [scene for scene in every_scene() if scene.is_held_out]
