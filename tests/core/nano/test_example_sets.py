"""The built-in training sets: the new shape is new, its judge knows it, and captions say what is drawn."""

import random

from zimage_core.data import read_picture_folder
from zimage_core.nano.data.captions import training_caption
from zimage_core.nano.data.example_sets import SEEN_COLOURS, UNSEEN_COLOURS, WORD, crosses, say, write_zorps, zorps
from zimage_core.nano.data.render import render
from zimage_core.nano.data.scenes import held_out_scenes, training_scenes
from zimage_core.nano.judging.judge_lora import is_cross


def test_the_judge_knows_crosses_and_takes_nothing_else_for_one():
    scenes = crosses(48, SEEN_COLOURS + UNSEEN_COLOURS, seed=3)
    assert sum(is_cross(render(scene, index), scene.colour) for index, scene in enumerate(scenes)) >= 46
    assert not any(is_cross(render(scene), scene.colour) for scene in random.Random(0).sample(held_out_scenes(), 48))


def test_the_word_stands_in_no_caption_of_nanos(tmp_path):
    rng = random.Random(0)
    assert not any(WORD in training_caption(scene, rng) for scene in training_scenes()[::7])
    write_zorps(tmp_path)
    examples = read_picture_folder(tmp_path)
    assert len(examples) == 20 and all(WORD in each.captions[0] for each in examples)
    assert not any(colour in each.captions[0] for each in examples for colour in UNSEEN_COLOURS)
    assert len({say(scene) for scene in zorps()}) == 20
