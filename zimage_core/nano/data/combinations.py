"""Combinations of three reference pictures: the shape of the first, the colour of the second, the ground of the third.

The smallest use of several references that can be checked automatically.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice

from PIL import Image

from .captions import LANGUAGES
from .render import render
from .scenes import Scene, is_hash_held_out, training_scenes

TEMPLATES = {
    "en": (
        "shape of picture 1, color of picture 2, background of picture 3",
        "picture 1 in the color of picture 2, on the background of picture 3",
        "draw picture 1 with color of picture 2 on background of picture 3",
    ),
    "zh": (
        "图1的形状，图2的颜色，图3的背景",
        "图1变成图2的颜色，图3的背景",
        "用图2的颜色和图3的背景画图1",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Combination:
    """Three scenes whose attributes are combined."""

    pictures: tuple[Scene, Scene, Scene]

    @property
    def target(self) -> Scene:
        """The combined scene; size and position are the first picture's."""
        first, second, third = self.pictures
        return Scene(
            shape=first.shape,
            colour=second.colour,
            size=first.size,
            row=first.row,
            column=first.column,
            ground=third.ground,
        )

    @property
    def is_held_out(self) -> bool:
        """Whether this combination of shape, colour and ground is reserved for judging."""
        return is_hash_held_out(f"combine {self.target.shape} {self.target.colour} {self.target.ground}")

    def render(self, seed: int) -> tuple[Image.Image, ...]:
        """The three pictures and the target, which has the first one's jitter."""
        seeds = (seed, seed + 2**32, seed + 2**33)
        references = (render(scene, each) for scene, each in zip(self.pictures, seeds, strict=True))
        return (*references, render(self.target, seed))


def training_combinations(rng: random.Random) -> Iterator[Combination]:
    """Endless training combinations: neither they nor their targets are held out."""
    drawn = _any_combinations(rng)
    return (each for each in drawn if not each.is_held_out and not each.target.is_held_out)


def held_out_combinations(n: int = 64) -> list[Combination]:
    """The fixed combinations for judging."""
    return list(islice((each for each in _any_combinations(random.Random("held out")) if each.is_held_out), n))


def training_sentence(rng: random.Random) -> str:
    """A prompt for a combination, in either language."""
    return rng.choice(TEMPLATES[rng.choice(LANGUAGES)])


def _any_combinations(rng: random.Random) -> Iterator[Combination]:
    scenes = training_scenes()
    for _ in count():
        first, second, third = rng.choices(scenes, k=3)
        yield Combination(pictures=(first, second, third))
