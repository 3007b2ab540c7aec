"""The exact captioner of nano's pictures: the checker sees what is there, and templates say it.

It needs no weights, so that all that captions pictures can be tried and tested with it. Of other pictures it says
nothing.
"""

import random
from collections.abc import Iterator

import numpy as np
from PIL import Image

from ..language.back_end import Question, Text
from .data.render import pixels, render_composition
from .data.scene_captions import composition_caption, difference_caption
from .data.scenes import Composition
from .judging.edit_checker import recognize_objects
from .judging.scene_score import at_renderers_side

NAME = "nano's scenes"
LEAST_LIKE = 0.1  # mean difference to what was recognized, drawn again; nano's own drawings stay below 0.04
NOT_NANO = (
    "this picture is none of nano's: choose a vision model for it, nano tells only its own shapes on its own grounds"
)


class SceneCaptioner:
    """A back end that tells scenes: the question's prompt is the kind of caption, or "difference"."""

    name = NAME
    reads_instructions = False
    sees = True

    def write(self, question: Question) -> Iterator[Text]:
        """The caption; raises `ValueError` for a picture that nano does not draw."""
        seen = [composition_of(picture) for picture in question.pictures]
        yield Text("answer", _told(seen, question))


def _told(seen: list[Composition], question: Question) -> str:
    if len(seen) == 1:
        return composition_caption(
            seen[0], question.prompt, question.language, random.Random(f"{question.seed} {seen[0]}")
        )
    before, after = seen
    if told := difference_caption(before, after, question.language):
        return told
    raise ValueError("the two pictures show no difference")


def composition_of(picture: Image.Image) -> Composition:
    """What nano's checker recognizes, if drawn again it looks like the picture."""
    if picture.width == picture.height:
        small = at_renderers_side(picture)
        ground, objects = recognize_objects(small)
        try:
            seen = Composition(ground=ground, objects=tuple(objects))
        except ValueError:  # two of a shape, or touching: not a scene
            raise ValueError(NOT_NANO) from None
        again = render_composition(seen, [None] * len(objects))
        if float(np.abs(pixels(small) - pixels(again)).mean()) < LEAST_LIKE:
            return seen
    raise ValueError(NOT_NANO)
