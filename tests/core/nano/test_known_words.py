"""Words that nano never read: named for prompts it cannot draw, none for those it was made for."""

import random

import pytest

from zimage_core.nano.data import captions, combinations, edit_captions
from zimage_core.nano.data.edits import training_edit
from zimage_core.nano.data.scenes import every_scene
from zimage_core.nano.known_words import unknown_words

CANNOT_DRAW = {
    "a photograph of a red fox in fresh snow": ["photograph", "fox", "fresh", "snow"],
    "a portrait of an old fisherman, soft light": ["portrait", "old", "fisherman", "soft", "light"],
    "the word ZImage on a sign": ["word", "ZImage", "sign"],
    "two cats on a blue sofa": ["two", "cats", "sofa"],
    "a red hexagon on a white background": ["hexagon"],
    "un cœur rouge": ["cœur", "rouge"],
    "masterpiece, 8k, a red heart": ["masterpiece"],
    "一只红色的狐狸坐在雪地里": ["只", "狐狸坐", "雪地里"],
    "水墨山水画": ["水墨山水"],
    "a castle, 城堡, a Castle": ["castle", "城堡", "Castle"],
}


@pytest.mark.parametrize(("prompt", "words"), CANNOT_DRAW.items())
def test_ten_prompts_nano_cannot_draw_are_told_by_their_words(prompt, words):
    assert unknown_words(prompt) == words


def test_every_word_of_captions_and_instructions_is_known():
    rng = random.Random(0)
    scenes = list(every_scene())
    for _ in range(150):
        scene, edit, language = rng.choice(scenes), training_edit(rng), rng.choice(captions.LANGUAGES)
        for text in (
            captions.training_caption(scene, rng),
            captions.held_out_caption(scene, language, rng),
            edit_captions.training_instruction(edit, rng).text,
            edit_captions.held_out_instruction(edit, language, rng).text,
            combinations.training_sentence(rng),
        ):
            assert unknown_words(text) == [] == unknown_words(text.upper())
