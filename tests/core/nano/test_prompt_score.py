"""A prompt read back gives the scene its caption was written from; the score counts what the prompt names."""

import random

import pytest
from PIL import Image

from zimage_core.nano.data.caption_reading import stated
from zimage_core.nano.data.captions import LANGUAGES, caption_with_attributes, held_out_caption, plain_caption
from zimage_core.nano.data.render import ground, render
from zimage_core.nano.data.scenes import every_scene
from zimage_core.nano.judging.prompt_score import PromptScore
from zimage_core.scoring.score import Request

SCENES = list(every_scene())


def test_captions_of_every_kind_are_read_back():
    rng = random.Random(3)
    for scene in rng.sample(SCENES, 600):
        caption, attributes = caption_with_attributes(scene, rng)
        assert stated(caption) == {name: getattr(scene, name) for name in attributes}, caption
        for language in LANGUAGES:
            caption = held_out_caption(scene, language, rng)
            assert stated(caption) == vars(scene), caption


def test_renders_are_all_right_and_each_wrong_word_costs_its_share():
    score, rng = PromptScore(), random.Random(5)
    for scene in rng.sample(SCENES, 40):
        picture = render(scene, 1)
        right = Request(prompt=plain_caption(scene, "zh"))
        [found] = score([picture.resize((256, 256), Image.Resampling.NEAREST)], [right])
        assert found.value == 1 and len(found.parts) == 6
    scene = SCENES[0]
    [half] = score([render(scene, 1)], [Request(prompt=f"a {scene.colour} heart")])
    assert scene.shape == "circle" and half.value == 0.5 and half.parts == {"shape": 0, "colour": 1}


def test_on_an_empty_ground_nothing_but_the_ground_is_right():
    [found] = PromptScore()([ground("stripes")], [Request(prompt="a small red star on stripes")])
    assert found.value == 0.25 and found.parts["ground"] == 1


@pytest.mark.parametrize("prompt", ["a photo of a cat", "a red heart and a blue star", ""])
def test_what_the_checker_cannot_judge_has_no_number(prompt):
    [found] = PromptScore()([render(SCENES[0], 1)], [Request(prompt=prompt)])
    assert found.value is None and found.problem
