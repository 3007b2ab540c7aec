"""GenEval's rules on nano's world: pictures that show what a line demands pass, those of other lines fall to chance."""

import math
import random
from pathlib import Path

import pytest
from PIL import Image

from zimage_core.evaluation.case import Reading
from zimage_core.evaluation.suites.geneval import TAGS
from zimage_core.nano.data.render import coverage, ground, place
from zimage_core.nano.data.scenes import COLOURS, SceneObject
from zimage_core.nano.judging.scene_score import SceneDetector
from zimage_core.nano.judging.small_world import SMALL_WORLD, records
from zimage_core.nano.known_words import unknown_words
from zimage_core.scoring.detection import GenEvalScore
from zimage_core.scoring.score import Request

CORNERS = (("top", "left"), ("bottom", "right"), ("top", "right"), ("bottom", "left"))
SIDES = {
    "left of": (("middle", "right"), ("middle", "left")),
    "right of": (("middle", "left"), ("middle", "right")),
    "above": (("bottom", "middle"), ("top", "middle")),
    "below": (("top", "middle"), ("bottom", "middle")),
}


def drawn(line, rng) -> Image.Image:
    """What a line demands, by the renderer: a truth that shares nothing with the rules."""
    relation = next((clause["position"][0] for clause in line["include"] if "position" in clause), None)
    places = iter(SIDES[relation] if relation else rng.sample(CORNERS, 4))
    picture = ground("white").copy()
    for clause in line["include"]:
        for _ in range(clause["count"]):
            row, column = next(places)
            colour = clause.get("color") or rng.choice(list(COLOURS))
            thing = SceneObject(shape=clause["class"], colour=colour, size="small", row=row, column=column)
            picture.paste(place(thing, 0).colour, mask=coverage(thing, 0))
    return picture


@pytest.fixture(scope="module")
def lines():
    return records(60)


def rate(pictures, lines):
    requests = [Request(rules=line) for line in lines]
    return sum(found.value for found in GenEvalScore(SceneDetector())(pictures, requests)) / len(lines)


@pytest.mark.slow
def test_pictures_that_show_what_is_asked_pass_and_those_of_other_lines_fall_to_chance(lines):
    rng = random.Random(1)
    pictures = [drawn(line, rng) for line in lines]
    assert rate(pictures, lines) >= 0.98
    assert rate(pictures[7:] + pictures[:7], lines) <= 0.15


def test_five_hundred_lines_of_six_tags_are_the_same_every_time_in_words_that_nano_knows():
    cases = SMALL_WORLD.read(Path(), Reading())
    assert len(cases) == 500 and {case.group for case in cases} == set(TAGS)
    assert records() == records()
    unknown = {
        word for case in cases if case.group in ("single_object", "colors") for word in unknown_words(case.prompt)
    }
    assert unknown == set()
    assert math.isclose(sum(case.group == "counting" for case in cases), 500 / 6, abs_tol=1)
