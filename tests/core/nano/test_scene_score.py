"""nano's checker as a score and a detector, on rendered pictures; GenEval's six tags in the small world."""

from dataclasses import replace

import pytest
from PIL import Image

from zimage_core.nano.data.render import SIDE, render, render_composition
from zimage_core.nano.data.scenes import Composition, SceneObject, held_out_scenes
from zimage_core.nano.judging.scene_score import SceneDetector, SceneScore
from zimage_core.scoring.detection import GenEvalScore
from zimage_core.scoring.score import Request, Score

SCENE = held_out_scenes()[0]
RED = SceneObject(shape="circle", colour="red", size="small", row="middle", column="left")
BLUE = SceneObject(shape="star", colour="blue", size="small", row="middle", column="right")
PAIR = render_composition(Composition(ground="white", objects=(RED, BLUE)), (None, None))


@pytest.mark.parametrize("side", [SIDE, 256])
def test_a_scene_is_all_right_and_another_in_what_they_share(side):
    picture = render(SCENE).resize((side, side), Image.Resampling.NEAREST)
    other = replace(SCENE, colour="cyan" if SCENE.colour != "cyan" else "red")
    score = SceneScore()
    assert isinstance(score, Score)
    right, wrong, none = score([picture] * 3, [Request(rules=vars(SCENE)), Request(rules=vars(other)), Request()])
    assert right.value == 1 and wrong.value == pytest.approx(4 / 5) and wrong.parts["colour"] == 0
    assert none.value is None and "a scene's shape is one of circle" in none.problem


@pytest.mark.parametrize("side", [SIDE, 4 * SIDE])
def test_boxes_lie_around_what_was_drawn(side):
    found = SceneDetector().detect(PAIR.resize((side, side), Image.Resampling.NEAREST))
    assert {(each.name, each.colour) for each in found} == {("circle", "red"), ("star", "blue")}
    circle = next(each for each in found if each.name == "circle")
    expected = [side * edge for edge in (0.25 - 0.125, 0.5 - 0.125, 0.25 + 0.125, 0.5 + 0.125)]
    assert circle.box == pytest.approx(expected, abs=1.5 * side / SIDE)


@pytest.mark.parametrize(
    ("tag", "include", "value"),
    [
        ("single_object", [{"class": "star", "count": 1}], 1),
        ("single_object", [{"class": "heart", "count": 1}], 0),
        ("two_object", [{"class": "star", "count": 1}, {"class": "circle", "count": 1}], 1),
        ("counting", [{"class": "circle", "count": 2}], 0),
        ("colors", [{"class": "star", "count": 1, "color": "blue"}], 1),
        ("color_attr", [{"class": "star", "count": 1, "color": "red"}, {"class": "circle", "count": 1}], 0),
        ("position", [{"class": "star", "count": 1}, {"class": "circle", "count": 1, "position": ["left of", 0]}], 1),
        ("position", [{"class": "star", "count": 1}, {"class": "circle", "count": 1, "position": ["above", 0]}], 0),
    ],
)
def test_geneval_of_the_small_world(tag, include, value):
    (measurement,) = GenEvalScore(SceneDetector())([PAIR], [Request(rules={"tag": tag, "include": include})])
    assert measurement.value == value, measurement.notes
