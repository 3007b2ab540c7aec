"""What nano is taught anew: it is new, its judge takes nothing else for it, and captions say what is drawn."""

import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zimage_core.data import read_dataset, read_picture_folder
from zimage_core.nano.data.captions import training_caption
from zimage_core.nano.data.example_pairs import write_zorp_pairs, zorp_pairs
from zimage_core.nano.data.example_sets import UNSEEN_COLOURS, WORD, say, zorps
from zimage_core.nano.data.novelties import KNOWN_COLOUR, NOVELTIES, SHAPE, UNSEEN_SHAPES, Novelty
from zimage_core.nano.data.render import render
from zimage_core.nano.data.scenes import SHAPES, held_out_scenes, training_scenes
from zimage_core.nano.judging.novelty_checker import is_cross, is_shown


@pytest.mark.parametrize("novelty", NOVELTIES.values(), ids=NOVELTIES)
def test_the_judge_knows_what_is_new_and_takes_nothing_else_for_it(novelty: Novelty):
    scenes = [*novelty.held_out(24, seen=True), *novelty.held_out(24, seen=False)]
    assert sum(is_shown(novelty, novelty.draw(scene, index), scene) for index, scene in enumerate(scenes)) >= 46
    others = random.Random(0).sample(held_out_scenes(), 24)
    asked = scenes[::2]
    assert not any(is_shown(novelty, render(other), scene) for other, scene in zip(others, asked, strict=True))


def test_another_shape_of_the_colour_that_was_asked_for_is_no_cross():
    assert not any(is_cross(render(scene), scene.colour) for scene in random.Random(1).sample(held_out_scenes(), 24))


@pytest.mark.parametrize("novelty", NOVELTIES.values(), ids=NOVELTIES)
def test_twenty_pictures_tell_of_it_and_leave_out_what_is_judged(novelty: Novelty, tmp_path: Path):
    novelty.write(tmp_path)
    examples = read_picture_folder(tmp_path)
    captions = [each.captions[0] for each in examples]
    assert len(examples) == 20 and all(WORD in caption for caption in captions)
    left_out = UNSEEN_COLOURS if novelty is SHAPE else (*UNSEEN_SHAPES, KNOWN_COLOUR)
    assert not any(word in caption for caption in captions for word in left_out)
    assert not set(novelty.held_out(24, seen=True)) & set(novelty.learned)


def test_the_word_stands_in_no_caption_of_nanos():
    rng = random.Random(0)
    assert not any(WORD in training_caption(scene, rng) for scene in training_scenes()[::7])
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
