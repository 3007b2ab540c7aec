"""The built-in model's world: scenes, captions, checker; and the model itself, small enough to be judged here."""

import random
from functools import partial

import pytest
import torch

from zimage_core.nano.data.captions import (
    LANGUAGE_BY_CODE,
    LANGUAGES,
    held_out_caption,
    plain_caption,
    training_caption,
)
from zimage_core.nano.data.render import render
from zimage_core.nano.data.scenes import Scene, every_scene, held_out_scenes, training_scenes
from zimage_core.nano.files import FOLDER
from zimage_core.nano.judging.checker import check, recognize
from zimage_core.nano.judging.judge import load, shuffled
from zimage_core.sampling import NANO


def test_held_out_scenes_are_never_trained_on_in_any_size():
    def combination(scene):
        return scene.shape, scene.colour, scene.position, scene.ground

    assert len(held_out_scenes()) >= 256
    assert len(held_out_scenes()) + len(training_scenes()) == len(list(every_scene())) == 5184
    assert not {*map(combination, held_out_scenes())} & {*map(combination, training_scenes())}


def test_held_out_sentences_are_never_trained_on():
    for sentences in LANGUAGE_BY_CODE.values():
        assert not set(sentences.templates + sentences.partial_templates) & set(sentences.held_out_templates)


def test_every_word_of_every_scene_is_known_in_both_languages():
    words = [set(LANGUAGE_BY_CODE[language].words) for language in LANGUAGES]
    assert words[0] == words[1]
    scene = next(every_scene())
    for language in LANGUAGES:
        assert "{" not in plain_caption(scene, language) + held_out_caption(scene, language, random.Random(0))


def test_no_two_things_share_a_word():
    """A caption must have one meaning."""
    for language in LANGUAGES:
        said = [word for words in LANGUAGE_BY_CODE[language].words.values() for word in words]
        assert len(said) == len(set(said))


def test_captions_are_seeded():
    scene = next(every_scene())
    assert training_caption(scene, random.Random(3)) == training_caption(scene, random.Random(3))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [None, 0])
def test_the_checker_reads_every_thirtieth_scene_back_from_its_render(seed):
    for index, scene in enumerate(list(every_scene())[::30]):
        assert recognize(render(scene, None if seed is None else seed + index)) == scene


@pytest.mark.parametrize(
    ("attribute", "change"),
    [
        ("shape", {"shape": "star"}),
        ("colour", {"colour": "green"}),
        ("size", {"size": "small"}),
        ("position", {"row": "top"}),
        ("ground", {"ground": "sky"}),
    ],
)
def test_the_checker_notices_each_wrong_attribute_and_only_that(attribute, change):
    asked = Scene(shape="circle", colour="red", size="large", row="middle", column="middle", ground="grey")
    shown = Scene(**{**vars(asked), **change})
    score = vars(check(render(shown, 1), asked))
    assert [name for name, is_right in score.items() if not is_right] == [attribute]


def test_an_empty_picture_passes_nothing_but_its_ground():
    from zimage_core.nano.data.render import ground

    for colour in ("blue", "pink"):
        scene = Scene(shape="ring", colour=colour, size="large", row="top", column="left", ground="grey")
        score = check(ground("grey"), scene)
        assert (score.ground, score.colour, score.position) == (True, False, False)


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_built_in_model_draws_what_a_held_out_caption_asks_for(language):
    """Twelve scenes here, as an alarm; all of them with `make judge`, whose table is in nano/README.md."""
    model = load(FOLDER)
    scenes = shuffled(held_out_scenes())[:12]
    with torch.inference_mode():
        pictures = model.draw(NANO, partial(plain_caption, language=language), scenes, 0)
    scores = [check(picture, scene) for picture, scene in zip(pictures, scenes, strict=True)]
    for attribute in ("shape", "colour", "position", "ground"):
        assert sum(getattr(score, attribute) for score in scores) >= 10, attribute


def test_the_files_stay_small_and_carry_their_notice():
    from zimage_core.nano.files import FOLDER

    assert sum(file.stat().st_size for file in FOLDER.rglob("*") if file.is_file()) <= 16e6
    assert "Apache" in (FOLDER.parent / "NOTICE").read_text("utf-8")
