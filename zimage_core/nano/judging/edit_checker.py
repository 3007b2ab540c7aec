"""Recognizes compositions of any number of objects in pictures, and checks whether an edit was done.

As in `checker`, the ground is found first; each connected component that differs from it is recognized as an object.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..data.edits import Edit
from ..data.render import SIDE, pixels
from ..data.scenes import COLUMNS, ROWS, SIZES, SceneObject
from .checker import TOLERANCE, Array, alpha, centroid, nearest_colour, nearest_ground, nearest_template, palette

Mask = NDArray[np.bool_]

MIN_PIXELS = 30  # of an object at the native side; the smallest, a small star, has about 75
MARGIN = 2  # pixels around an object's clear pixels that hold its blurred edge


@dataclass(frozen=True, kw_only=True)
class EditScore:
    """Whether the edit was done, and whether everything else is unchanged."""

    edited: bool  # the object was changed, added or removed as asked; the ground is the wanted one
    others: bool  # the objects that should stay are as they were
    nothing_else: bool  # no more objects than that
    ground: bool

    @property
    def is_success(self) -> bool:
        """Everything in the picture is as asked."""
        return self.edited and self.others and self.nothing_else and self.ground


def check_edit(picture: Image.Image, edit: Edit) -> EditScore:
    """Compare what a picture shows with what the edit asks for."""
    ground, objects = recognize_objects(picture)
    has_come = edit.after is None or edit.after in objects
    has_gone = edit.before is None or edit.before not in objects
    return EditScore(
        edited=has_come and has_gone and ground == edit.new_ground,
        others=set(edit.unchanged) <= set(objects),
        nothing_else=len(objects) == len(edit.target.objects),
        ground=ground == edit.new_ground,
    )


def recognize_objects(picture: Image.Image) -> tuple[str, list[SceneObject]]:
    """The ground of a picture and the objects on it."""
    image = pixels(picture)
    name, behind = nearest_ground(image)
    return name, [
        read_object(image, behind, mask) for mask in connected_components(np.abs(image - behind).max(-1) > TOLERANCE)
    ]


def read_object(image: Array, behind: Array, mask: Mask) -> SceneObject:
    """The object that covers a part of a picture."""
    colour = nearest_colour(image, mask)
    coverage = alpha(image, behind, palette(colour))
    y, x = centroid(coverage * mask)
    shape, radius = nearest_template(coverage * dilate(mask, MARGIN), y, x)
    return SceneObject(
        shape=shape,
        colour=colour,
        size=min(SIZES, key=lambda size: abs(SIZES[size] - radius)),
        row=min(ROWS, key=lambda row: abs(ROWS[row] - y)),
        column=min(COLUMNS, key=lambda column: abs(COLUMNS[column] - x)),
    )


def connected_components(mask: Mask) -> Iterator[Mask]:
    """The connected parts of a mask that are large enough to be objects."""
    left, least = mask.copy(), MIN_PIXELS * (min(mask.shape) / SIDE) ** 2
    while left.any():
        part = np.zeros_like(mask)
        part.flat[left.argmax()] = True
        while (larger := dilate(part, 1) & mask).sum() > part.sum():
            part = larger
        left &= ~part
        if part.sum() >= least:
            yield part


def dilate(mask: Mask, n: int) -> Mask:
    """A mask and the n pixels around it, corners included."""
    padded = np.pad(mask, n)
    height, width = mask.shape
    shifts = range(2 * n + 1)
    return np.any([padded[y : y + height, x : x + width] for y in shifts for x in shifts], axis=0)
