"""Pairs of pictures that differ by one edit, for training and judging.

Unchanged objects have the same jitter before and after, so the two pictures are bit-equal outside the edited region.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .render import coverage, render_composition
from .scenes import COLOURS, COLUMNS, GROUNDS, ROWS, SHAPES, SIZES, Composition, SceneObject, is_hash_held_out

KINDS = ("recolour", "add", "remove", "replace", "move", "ground")
MAX_OBJECTS = 2
HELD_OUT_PER_KIND = 64


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One object is changed, added or removed, or the ground changes; everything else is unchanged."""

    kind: str
    before: SceneObject | None = None  # the object that is changed or removed
    after: SceneObject | None = None  # the changed or added object
    unchanged: tuple[SceneObject, ...] = ()
    ground: str
    new_ground: str

    @property
    def source(self) -> Composition:
        """The composition before the edit."""
        return Composition(ground=self.ground, objects=(*([self.before] if self.before else ()), *self.unchanged))

    @property
    def target(self) -> Composition:
        """The composition after the edit."""
        return Composition(ground=self.new_ground, objects=(*([self.after] if self.after else ()), *self.unchanged))

    @property
    def is_held_out(self) -> bool:
        """Whether this edit, as (kind, shape, colour, new value), is reserved for judging."""
        return any(is_hash_held_out(name) for name in self._names())

    def render(self, seed: int) -> tuple[Image.Image, Image.Image]:
        """The pictures before and after; objects keep their jitter."""
        unchanged = self._unchanged_seeds(seed)
        return (
            render_composition(self.source, (*([seed] if self.before else ()), *unchanged)),
            render_composition(self.target, (*([seed] if self.after else ()), *unchanged)),
        )

    def region(self, seed: int) -> NDArray[np.bool_]:
        """Pixels the edit may change: those the object covers before and after, or all visible ground."""
        if self.kind == "ground":
            covers = zip(self.unchanged, self._unchanged_seeds(seed), strict=True)
            return np.all([np.asarray(coverage(obj, own)) < 255 for obj, own in covers], axis=0)
        changing = (obj for obj in (self.before, self.after) if obj)
        return np.any([np.asarray(coverage(obj, seed)) > 0 for obj in changing], axis=0)

    def _unchanged_seeds(self, seed: int) -> list[int]:
        return [seed + 2**32 * (1 + index) for index in range(len(self.unchanged))]

    def _names(self) -> list[str]:
        if self.kind == "ground":
            return [f"ground {obj.shape} {obj.colour} {self.new_ground}" for obj in self.unchanged]
        obj = self.before or self.after
        assert obj
        value = {
            "recolour": self.after and self.after.colour,
            "add": self.after and " ".join(self.after.position),
            "remove": "",
            "replace": self.after and self.after.shape,
            "move": self.after and " ".join(self.after.position),
        }[self.kind]
        return [f"{self.kind} {obj.shape} {obj.colour} {value}"]


def training_edit(rng: random.Random, kind: str | None = None) -> Edit:
    """An edit for training: not held out, and without a scene on which text-to-image is judged."""
    chosen = kind or rng.choice(KINDS)
    drawn = (any_edit(rng, chosen) for _ in count())
    return next(
        edit
        for edit in drawn
        if not (edit.is_held_out or edit.source.shows_held_out_scene or edit.target.shows_held_out_scene)
    )


def held_out_edits(per_kind: int = HELD_OUT_PER_KIND) -> list[Edit]:
    """The fixed edits for judging, grouped by kind; half of them have an object that must not change."""
    return [edit for kind in KINDS for edit in _held_out(kind, per_kind)]


def _held_out(kind: str, n: int) -> Iterator[Edit]:
    rng = random.Random(f"held out {kind}")
    found: set[Edit] = set()
    while len(found) < n:
        edit = any_edit(rng, kind)
        if edit.is_held_out and edit not in found:
            found.add(edit)
            yield edit


def any_edit(rng: random.Random, kind: str) -> Edit:
    """An edit of some kind on one or two objects, held out or not."""
    ground = rng.choice(GROUNDS)
    drawn = (random_objects(rng, rng.randint(1, MAX_OBJECTS)) for _ in count())
    objects = next(objects for objects in drawn if kind != "move" or free_positions(objects[0], objects[1:]))
    if kind == "ground":
        other = rng.choice([name for name in GROUNDS if name != ground])
        return Edit(kind=kind, unchanged=objects, ground=ground, new_ground=other)
    obj, unchanged = objects[0], objects[1:]
    before, after = {
        "add": lambda: (None, obj),
        "remove": lambda: (obj, None),
        "recolour": lambda: (obj, recoloured(obj, rng)),
        "replace": lambda: (obj, reshaped(obj, unchanged, rng)),
        "move": lambda: (obj, rng.choice(free_positions(obj, unchanged))),
    }[kind]()
    return Edit(kind=kind, before=before, after=after, unchanged=unchanged, ground=ground, new_ground=ground)


def random_objects(rng: random.Random, n: int) -> tuple[SceneObject, ...]:
    """Objects of different shapes that do not touch."""
    objects: list[SceneObject] = []
    while len(objects) < n:
        obj = SceneObject(
            shape=rng.choice(SHAPES),
            colour=rng.choice(tuple(COLOURS)),
            size=rng.choice(tuple(SIZES)),
            row=rng.choice(tuple(ROWS)),
            column=rng.choice(tuple(COLUMNS)),
        )
        fits = all(obj.shape != other.shape and obj.is_apart_from(other) for other in objects)
        objects = [*objects, obj] if fits else objects[: rng.randint(0, len(objects))]  # large ones may leave no space
    return tuple(objects)


def recoloured(obj: SceneObject, rng: random.Random) -> SceneObject:
    """The object in another colour."""
    return replace(obj, colour=rng.choice([colour for colour in COLOURS if colour != obj.colour]))


def reshaped(obj: SceneObject, unchanged: tuple[SceneObject, ...], rng: random.Random) -> SceneObject:
    """The object in a shape no other object has."""
    taken = {obj.shape, *(other.shape for other in unchanged)}
    return replace(obj, shape=rng.choice([shape for shape in SHAPES if shape not in taken]))


def free_positions(obj: SceneObject, unchanged: tuple[SceneObject, ...]) -> list[SceneObject]:
    """The object at every other position where it touches nothing; for two large objects there may be none."""
    places = [replace(obj, row=row, column=column) for row in ROWS for column in COLUMNS]
    return [place for place in places if place != obj and all(place.is_apart_from(other) for other in unchanged)]
