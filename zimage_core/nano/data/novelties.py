"""What nano has never drawn, to be learned from twenty pictures each: a shape, a colour and a style.

All have the same word, which stands in none of nano's captions. Each is shown in most of the values of one attribute
and never in two of them, so that a judge can tell what was learned from what was copied.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path

from PIL import Image

from .captions import ENGLISH, plain_caption
from .example_sets import SEEN_COLOURS, UNSEEN_COLOURS, WORD, say, write_pictures, zorps
from .render import coverage, render
from .render import ground as empty_ground
from .scenes import COLUMNS, GROUNDS, ROWS, SHAPES, SIZES, Scene

BROWN = (125, 70, 30)
KNOWN_COLOUR = "pink"  # stands in a scene where the new colour is meant
STYLE_GROUND = "black"
UNSEEN_SHAPES = ("heart", "ring")  # no picture of the new colour or style has them
SEEN_SHAPES = tuple(shape for shape in SHAPES if shape not in UNSEEN_SHAPES)


@dataclass(frozen=True, kw_only=True)
class Novelty:
    """Something new, as scenes of what is known: how one is drawn and how it is told."""

    name: str
    draw: Callable[[Scene, int | None], Image.Image]  # with the seed of a jitter
    say: Callable[[Scene], str]
    learned: Sequence[Scene]
    one: Callable[[random.Random, bool], Scene]  # at random, shown in what the pictures show or not

    def held_out(self, n: int, *, seen: bool, seed: int = 7) -> list[Scene]:
        """Scenes that are not learned from: of what the pictures show in other places, or of what none shows."""
        rng = random.Random(seed)
        drawn = (self.one(rng, seen) for _ in count())
        return list(islice((scene for scene in drawn if scene not in self.learned), n))

    def write(self, folder: Path) -> None:
        """The twenty pictures, each with a text beside it."""
        write_pictures(folder, self.learned, self.draw, self.say)


def any_scene(rng: random.Random, *, shapes: Sequence[str], colours: Sequence[str], grounds: Sequence[str]) -> Scene:
    """A scene of any size and place."""
    size, row, column = rng.choice(list(SIZES)), rng.choice(list(ROWS)), rng.choice(list(COLUMNS))
    shape, colour, ground = rng.choice(shapes), rng.choice(colours), rng.choice(grounds)
    return Scene(shape=shape, colour=colour, size=size, row=row, column=column, ground=ground)


def a_cross(rng: random.Random, seen: bool) -> Scene:
    """Of the new shape."""
    colours = SEEN_COLOURS if seen else UNSEEN_COLOURS
    return any_scene(rng, shapes=("cross",), colours=colours, grounds=GROUNDS)


def a_brown_one(rng: random.Random, seen: bool) -> Scene:
    """Of the new colour."""
    return any_scene(rng, shapes=SEEN_SHAPES if seen else UNSEEN_SHAPES, colours=(KNOWN_COLOUR,), grounds=GROUNDS)


def a_styled_one(rng: random.Random, seen: bool) -> Scene:
    """Of the new style."""
    shapes = SEEN_SHAPES if seen else UNSEEN_SHAPES
    return any_scene(rng, shapes=shapes, colours=(KNOWN_COLOUR,), grounds=(STYLE_GROUND,))


def draw_brown(scene: Scene, seed: int | None) -> Image.Image:
    """A scene whose object has the new colour."""
    picture = empty_ground(scene.ground).copy()
    picture.paste(BROWN, mask=coverage(scene.object, seed))
    return picture


def say_colour(scene: Scene) -> str:
    """The plain English caption, with the new word for the colour."""
    return plain_caption(replace(scene, colour=KNOWN_COLOUR), "en").replace(KNOWN_COLOUR, WORD)


def say_style(scene: Scene) -> str:
    """Shape, size and place alone: colour and ground are the style's."""
    size, shape, position = (ENGLISH[each][0] for each in (scene.size, scene.shape, f"{scene.row} {scene.column}"))
    return f"a {size} {shape} {position}, {WORD}"


def evenly_shaped(scenes: Sequence[Scene]) -> list[Scene]:
    """The twenty places, sizes and grounds of the crosses, with known shapes shared out evenly."""
    order = random.Random(1).sample(range(len(scenes)), len(scenes))
    shapes = [SEEN_SHAPES[index % len(SEEN_SHAPES)] for index in order]
    return [replace(each, shape=shape, colour=KNOWN_COLOUR) for each, shape in zip(scenes, shapes, strict=True)]


SHAPE = Novelty(name="a shape, the cross", draw=render, say=say, learned=zorps(), one=a_cross)
COLOUR = Novelty(
    name="a colour, brown", draw=draw_brown, say=say_colour, learned=evenly_shaped(zorps()), one=a_brown_one
)
STYLE = Novelty(
    name="a style, brown on black",
    draw=draw_brown,
    say=say_style,
    learned=[replace(each, ground=STYLE_GROUND) for each in evenly_shaped(zorps())],
    one=a_styled_one,
)
NOVELTIES = {"shape": SHAPE, "colour": COLOUR, "style": STYLE}
