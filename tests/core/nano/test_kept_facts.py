"""What nano reads in requests and prompts, against the scenes they were made from."""

import random

import pytest

from zimage_core.language.kept_facts import KeepsFacts
from zimage_core.nano.data.captions import LANGUAGES, plain_caption
from zimage_core.nano.data.requests import held_out_request, riddle
from zimage_core.nano.data.scenes import Scene, every_scene, held_out_scenes
from zimage_core.nano.kept_facts import FactsOfScenes
from zimage_core.nano.writer import NanoWriter

FACTS = FactsOfScenes()
SCENES = held_out_scenes()[::23]
BY_CAPTION = {plain_caption(scene, language): scene for scene in every_scene() for language in LANGUAGES}


def value_of(scene: Scene, name: str) -> str:
    return f"{scene.row} {scene.column}" if name == "position" else getattr(scene, name)


@pytest.mark.parametrize("answered", LANGUAGES)
@pytest.mark.parametrize("asked", LANGUAGES)
def test_what_a_prompt_lost_of_a_request_is_told_and_put_back(asked, answered):
    rng = random.Random(0)
    for scene in SCENES:
        request, other = held_out_request(scene, asked, rng), rng.choice(SCENES)
        assert FACTS.lost(request.text, plain_caption(scene, answered)) == []
        wrong = plain_caption(other, answered)
        differing = [name for name in request.stated if value_of(scene, name) != value_of(other, name)]
        assert len(FACTS.lost(request.text, wrong)) == len(differing)
        whole = BY_CAPTION[FACTS.with_facts(request.text, wrong, answered)]
        for name in ("shape", "colour", "size", "position", "ground"):
            assert value_of(whole, name) == value_of(scene if name in request.stated else other, name)


@pytest.mark.parametrize(
    "request_",
    [
        *("a red heart and a blue star", "a heart that is not red", "a heart, but don’t make it red"),
        *("不要红色的爱心", "a poem", 'a ball with "RED STAR" on it'),
    ],
)
def test_what_cannot_be_read_is_not_claimed(request_):
    assert "red" not in FACTS.lost(request_, "a small blue circle in the middle on a white background")


def test_hints_are_nothing_said():
    rng = random.Random(0)
    hinted = [riddle(scene, language, language, rng).text for scene in SCENES for language in LANGUAGES]
    assert not any(FACTS.lost(text, "a poem") for text in hinted)


def test_nanos_writer_reads_facts():
    assert issubclass(NanoWriter, KeepsFacts)
