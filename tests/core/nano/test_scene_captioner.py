"""nano's exact captioner: what it says is what was drawn, and its differences lead from one scene to the other."""

import random

import pytest
from PIL import Image

from zimage_core.language.back_end import Question, ask
from zimage_core.nano.data.caption_reading import stated
from zimage_core.nano.data.captions import LANGUAGE_BY_CODE
from zimage_core.nano.data.edit_captions import plain_instruction
from zimage_core.nano.data.edits import KINDS, any_edit
from zimage_core.nano.data.render import render, render_composition
from zimage_core.nano.data.scene_captions import edits_between
from zimage_core.nano.data.scenes import Composition, SceneObject, every_scene
from zimage_core.nano.scene_captioner import SceneCaptioner

SCENES = random.Random(0).sample(list(every_scene()), 12)


def told(*pictures, kind="medium", language="en", seed=0):
    question = Question(prompt=kind, pictures=pictures, language=language, seed=seed)
    return ask(SceneCaptioner(), question).answer


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_caption_says_the_scene_in_full_in_every_kind_but_the_short_ones(language):
    for seed, scene in enumerate(SCENES):
        picture, words = render(scene, seed), LANGUAGE_BY_CODE[language].words
        for kind in ("tags", "medium", "long"):
            said = told(picture, kind=kind, language=language)
            for value in (scene.shape, scene.colour, scene.size, f"{scene.row} {scene.column}", scene.ground):
                assert words[value][0] in said
        assert words[scene.shape][0] in told(picture, kind="short", language=language)
        if language == "en":  # read back by the parser of prompts
            assert stated(told(picture)) == {**vars(scene)}


def test_requests_leave_most_of_a_scene_open_and_are_worded_in_many_ways():
    scene = SCENES[0]
    requests = {told(render(scene, 0), kind="user", seed=seed) for seed in range(40)}
    assert len(requests) > 5
    assert all("background" not in request for request in requests)


@pytest.mark.parametrize("kind", KINDS)
def test_a_difference_is_the_instruction_of_the_edit(kind):
    rng = random.Random(kind)
    for seed in range(6):
        edit = any_edit(rng, kind)
        before, after = edit.render(seed)
        for language in ("en", "zh"):
            plain = plain_instruction(edit, language).text
            assert told(before, after, kind="difference", language=language) == plain


def test_several_differences_are_told_one_after_the_other():
    circle = SceneObject(shape="circle", colour="red", size="small", row="top", column="left")
    star = SceneObject(shape="star", colour="blue", size="small", row="bottom", column="right")
    moved = SceneObject(shape="star", colour="pink", size="large", row="bottom", column="left")
    one, two = Composition(ground="white", objects=(circle, star)), Composition(ground="black", objects=(moved,))
    said = told(*(render_composition(each, [None] * len(each.objects)) for each in (one, two)), kind="difference")
    assert said.split(", then ") == [
        "make the star pink",
        "move the star to the bottom left corner",
        "remove the circle",
        "change the background to black",
        "make the star large",
    ]
    assert list(edits_between(one, one)) == []


def test_what_nano_does_not_draw_is_refused():
    for picture in (Image.effect_noise((64, 64), 90).convert("RGB"), Image.new("RGB", (64, 32), "white")):
        with pytest.raises(ValueError, match="none of nano's"):
            told(picture)
    same = render(SCENES[0], 0)
    with pytest.raises(ValueError, match="no difference"):
        told(same, same, kind="difference")
