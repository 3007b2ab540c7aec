"""The built-in training sets: the new shape is new, its judge knows it, and captions say what is drawn."""

import random

import numpy as np
from PIL import Image

from zimage_core.data import read_dataset, read_picture_folder
from zimage_core.nano.data.captions import training_caption
from zimage_core.nano.data.example_pairs import write_zorp_pairs, zorp_pairs
from zimage_core.nano.data.example_sets import SEEN_COLOURS, UNSEEN_COLOURS, WORD, crosses, say, write_zorps, zorps
from zimage_core.nano.data.render import render
from zimage_core.nano.data.scenes import SHAPES, held_out_scenes, training_scenes
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


def test_pairs_put_a_cross_into_the_place_of_every_shape_and_change_nothing_else(tmp_path):
    write_zorp_pairs(tmp_path)
    examples, edits = read_dataset(tmp_path).examples, zorp_pairs()
    assert len(examples) == len(edits) == 20
    assert {each.captions[0] for each in examples} == {f"replace the {shape} with a {WORD}" for shape in SHAPES}
    for index, (example, edit) in enumerate(zip(examples, edits, strict=True)):
        [source] = example.references
        before, after = (np.asarray(Image.open(file)) for file in (source, example.picture))
        assert not is_cross(Image.fromarray(before), edit.before.colour)
        assert (before == after)[~edit.region(index)].all() and not np.array_equal(before, after)
    hits = [is_cross(Image.open(each.picture), edit.after.colour) for each, edit in zip(examples, edits, strict=True)]
    assert sum(hits) >= 19
