"""Pairs of pictures that differ by one edit, to train and judge editing with.

Everything an edit leaves alone is drawn with the same jitter before and after, so the two pictures are equal, bit for
bit, outside the edited region.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .render import coverage, render_composition
from .scenes import COLOURS, COLUMNS, GROUNDS, ROWS, SHAPES, SIZES, Composition, Thing, is_hash_held_out

KINDS = ("recolour", "add", "remove", "replace", "move", "ground")
MOST_THINGS = 2
HELD_OUT_PER_KIND = 64


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One object changes, comes or goes, or the ground changes; the rest stays."""

    kind: str
    before: Thing | None = None  # the object that changes or goes
    after: Thing | None = None  # what it becomes, or what comes
    rest: tuple[Thing, ...] = ()
    ground: str
    new_ground: str

    @property
    def source(self) -> Composition:
        """What is there before."""
        return Composition(ground=self.ground, things=(*([self.before] if self.before else ()), *self.rest))

    @property
    def target(self) -> Composition:
        """What is asked for."""
        return Composition(ground=self.new_ground, things=(*([self.after] if self.after else ()), *self.rest))

    @property
    def is_held_out(self) -> bool:
        """Whether what is done to this object is kept for judging: (kind, shape, colour, new value)."""
        return any(is_hash_held_out(name) for name in self._names())

    def render(self, seed: int) -> tuple[Image.Image, Image.Image]:
        """The pictures before and after; objects keep their jitter."""
        rest = self._rest_seeds(seed)
        return (
            render_composition(self.source, (*([seed] if self.before else ()), *rest)),
            render_composition(self.target, (*([seed] if self.after else ()), *rest)),
        )

    def region(self, seed: int) -> NDArray[np.bool_]:
        """Pixels the edit may change: what the object covers before and after, or all the ground that shows."""
        if self.kind == "ground":
            covers = zip(self.rest, self._rest_seeds(seed), strict=True)
            return np.all([np.asarray(coverage(thing, own)) < 255 for thing, own in covers], axis=0)
        changing = (thing for thing in (self.before, self.after) if thing)
        return np.any([np.asarray(coverage(thing, seed)) > 0 for thing in changing], axis=0)

    def _rest_seeds(self, seed: int) -> list[int]:
        return [seed + 2**32 * (1 + index) for index in range(len(self.rest))]

    def _names(self) -> list[str]:
        if self.kind == "ground":
            return [f"ground {thing.shape} {thing.colour} {self.new_ground}" for thing in self.rest]
        thing = self.before or self.after
        assert thing
        value = {
            "recolour": self.after and self.after.colour,
            "add": self.after and " ".join(self.after.position),
            "remove": "",
            "replace": self.after and self.after.shape,
            "move": self.after and " ".join(self.after.position),
        }[self.kind]
        return [f"{self.kind} {thing.shape} {thing.colour} {value}"]


def training_edit(rng: random.Random, kind: str | None = None) -> Edit:
    """An edit to learn from: not held out, and no picture of it shows a scene that text-to-image is judged by."""
    chosen = kind or rng.choice(KINDS)
    drawn = (any_edit(rng, chosen) for _ in count())
    return next(
        edit
        for edit in drawn
        if not (edit.is_held_out or edit.source.shows_held_out_scene or edit.target.shows_held_out_scene)
    )


def held_out_edits(per_kind: int = HELD_OUT_PER_KIND) -> list[Edit]:
    """Edits to judge by, always the same, kind after kind; half of them have an object that must stay."""
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
    drawn = (apart_things(rng, rng.randint(1, MOST_THINGS)) for _ in count())
    things = next(things for things in drawn if kind != "move" or free_places(things[0], things[1:]))
    if kind == "ground":
        other = rng.choice([name for name in GROUNDS if name != ground])
        return Edit(kind=kind, rest=things, ground=ground, new_ground=other)
    thing, rest = things[0], things[1:]
    before, after = {
        "add": lambda: (None, thing),
        "remove": lambda: (thing, None),
        "recolour": lambda: (thing, recoloured(thing, rng)),
        "replace": lambda: (thing, reshaped(thing, rest, rng)),
        "move": lambda: (thing, rng.choice(free_places(thing, rest))),
    }[kind]()
    return Edit(kind=kind, before=before, after=after, rest=rest, ground=ground, new_ground=ground)


def apart_things(rng: random.Random, n: int) -> tuple[Thing, ...]:
    """Objects of different shapes that do not touch."""
    things: list[Thing] = []
    while len(things) < n:
        thing = Thing(
            shape=rng.choice(SHAPES),
            colour=rng.choice(tuple(COLOURS)),
            size=rng.choice(tuple(SIZES)),
            row=rng.choice(tuple(ROWS)),
            column=rng.choice(tuple(COLUMNS)),
        )
        fits = all(thing.shape != other.shape and thing.is_apart_from(other) for other in things)
        things = [*things, thing] if fits else things[: rng.randint(0, len(things))]  # a large one may leave no room
    return tuple(things)


def recoloured(thing: Thing, rng: random.Random) -> Thing:
    """In another colour."""
    return replace(thing, colour=rng.choice([colour for colour in COLOURS if colour != thing.colour]))


def reshaped(thing: Thing, rest: tuple[Thing, ...], rng: random.Random) -> Thing:
    """In a shape nothing has yet."""
    taken = {thing.shape, *(other.shape for other in rest)}
    return replace(thing, shape=rng.choice([shape for shape in SHAPES if shape not in taken]))


def free_places(thing: Thing, rest: tuple[Thing, ...]) -> list[Thing]:
    """The object at every other place where it touches nothing; two large ones leave each other none."""
    places = [replace(thing, row=row, column=column) for row in ROWS for column in COLUMNS]
    return [place for place in places if place != thing and all(place.is_apart_from(other) for other in rest)]
