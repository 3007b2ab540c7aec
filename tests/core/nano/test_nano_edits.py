"""Nano's edit pairs, their instructions, the checker that reads them and the judge that counts."""

import random
from itertools import product

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer as FastTokenizer

from edit_samples import sampled
from zimage_core.nano.data.captions import LANGUAGES, training_caption
from zimage_core.nano.data.edit_captions import (
    HELD_OUT_TEMPLATES,
    TEMPLATES,
    describe,
    held_out_instruction,
    instruct,
    plain_instruction,
    training_instruction,
)
from zimage_core.nano.data.edits import KINDS, any_edit, held_out_edits, random_objects, training_edit
from zimage_core.nano.data.render import coverage, render, render_composition
from zimage_core.nano.data.scenes import COLOURS, SHAPES, Composition, Scene, SceneObject, every_scene
from zimage_core.nano.files import FOLDER, TOKENIZER
from zimage_core.nano.judging.edit_checker import connected_components
from zimage_core.nano.stages.instructions import CLASSES, PROMPT, label
from zimage_core.nano.stages.tokenizer import VISION_TOKENS, add_vision_tokens
from zimage_core.nano.stages.vision import object_labels, patch_coverage, training_composition
from zimage_core.text import load_tokenizer, tokenize, tokenize_chunks


def test_a_composition_of_one_object_is_the_scene_bit_for_bit():
    for seed, scene in enumerate(list(every_scene())[::97]):
        assert np.array_equal(render(scene, seed), render_composition(scene.composition, (seed,)))


def test_two_objects_never_share_a_pixel_nor_a_neighbouring_one():
    rng = random.Random(1)
    for seed in range(100):
        covers = [np.asarray(coverage(obj, seed + 999 * index)) > 0 for index, obj in enumerate(random_objects(rng, 2))]
        assert len(list(connected_components(covers[0] | covers[1]))) == 2


def test_a_composition_refuses_objects_that_touch_or_share_a_shape():
    circle = SceneObject(shape="circle", colour="red", size="large", row="top", column="left")
    with pytest.raises(ValueError, match="touches"):
        Composition(
            ground="sky",
            objects=(circle, SceneObject(shape="star", colour="red", size="small", row="top", column="middle")),
        )
    with pytest.raises(ValueError, match="both called circle"):
        Composition(
            ground="sky",
            objects=(circle, SceneObject(shape="circle", colour="blue", size="small", row="bottom", column="right")),
        )


def test_pairs_differ_inside_the_edited_region_and_nowhere_else():
    for seed, edit in enumerate((*sampled(), *held_out_edits(8))):
        source, target = (np.asarray(picture) for picture in edit.render(seed))
        changed = (source != target).any(-1)
        assert changed.any()
        assert not (changed & ~edit.region(seed)).any()


def test_every_kind_counts_its_objects_as_it_should():
    change = {"recolour": 0, "add": 1, "remove": -1, "replace": 0, "move": 0, "ground": 0}
    for edit in sampled():
        assert len(edit.target.objects) - len(edit.source.objects) == change[edit.kind]
        assert (edit.source.ground == edit.target.ground) == (edit.kind != "ground")
        assert set(edit.unchanged) <= set(edit.source.objects) & set(edit.target.objects)
    assert {(edit.kind, len(edit.source.objects)) for edit in sampled()} == {
        (kind, n) for kind in KINDS for n in ((0, 1) if kind == "add" else (1, 2))
    }


@pytest.mark.slow
def test_held_out_edits_are_never_sampled_and_always_the_same():
    held_out = held_out_edits()
    assert held_out == held_out_edits()
    assert len(set(held_out)) == len(held_out) >= 300
    assert all(edit.is_held_out for edit in held_out)
    assert not any(
        edit.is_held_out or edit.source.shows_held_out_scene or edit.target.shows_held_out_scene for edit in sampled()
    )


@pytest.mark.slow
def test_about_an_eighth_of_what_can_be_done_to_objects_is_held_out():
    rng = random.Random(2)
    for kind in KINDS:
        held_out = [edit.is_held_out for edit in (any_edit(rng, kind) for _ in range(300))]
        assert 0.05 < sum(held_out) / len(held_out) < 0.25, kind


def test_edits_and_instructions_are_seeded():
    def draw():
        rng = random.Random(5)
        edit = training_edit(rng)
        return edit, training_instruction(edit, rng).text, np.asarray(edit.render(3)[1]).tobytes()

    assert draw() == draw()


def test_instructions_have_six_sentences_of_each_kind_and_others_to_be_judged_by():
    for language, kind in product(LANGUAGES, KINDS):
        assert len(set(TEMPLATES[language][kind])) >= 6
        assert len(HELD_OUT_TEMPLATES[language][kind]) >= 2
        every = [template for each in KINDS for template in TEMPLATES[language][each]]
        assert not set(every) & set(HELD_OUT_TEMPLATES[language][kind])


@pytest.mark.slow
def test_no_instruction_means_two_things():
    """Same words, same told values, whatever edit and template they came from."""
    rng, meanings = random.Random(3), {}
    for _ in range(800):
        edit = any_edit(rng, rng.choice(KINDS))
        language = rng.choice(LANGUAGES)
        templates = TEMPLATES[language][edit.kind] + HELD_OUT_TEMPLATES[language][edit.kind]
        said = instruct(edit, language, rng.choice(templates), rng)
        assert meanings.setdefault(said.text, said.stated) == said.stated


@pytest.mark.slow
def test_what_an_instruction_tells_leaves_one_result():
    """The told values, done to the source by hand, give the target."""
    for edit in sampled():
        stated = plain_instruction(edit, "en").stated
        objects = [obj for obj in edit.source.objects if obj.shape != stated.get("named shape")]
        named = [vars(obj) for obj in edit.source.objects if obj not in objects]
        new = {
            **(named[0] if named else {}),
            **{name: stated[name] for name in SceneObject.__annotations__ if name in stated},
        }
        if stated["kind"] in ("recolour", "add", "replace", "move"):
            objects.append(SceneObject(**new))
        assert set(objects) == set(edit.target.objects)
        assert stated.get("ground", edit.ground) == edit.new_ground


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory):
    """As trained on captions, and with the vision tokens."""
    folder = tmp_path_factory.mktemp("tokenizer")
    fast = FastTokenizer.from_file(str(FOLDER / TOKENIZER / "tokenizer.json"))
    add_vision_tokens(fast)
    fast.save(str(folder / "tokenizer.json"))
    return load_tokenizer(FOLDER / TOKENIZER), load_tokenizer(folder)


@pytest.mark.slow
def test_every_instruction_fits_one_block_of_32_tokens(tokenizers):
    """Every template with the longest words of every value."""
    _, tokenizer = tokenizers
    rng, longest = random.Random(4), 0
    for kind, language in product(KINDS, LANGUAGES):
        for template in TEMPLATES[language][kind] + HELD_OUT_TEMPLATES[language][kind]:
            for _ in range(6):
                said = instruct(any_edit(rng, kind), language, template, rng).text
                longest = max(longest, len(tokenize_chunks(tokenizer, said, 1)[PROMPT].ids))
    for edit in sampled():
        if len(edit.target.objects) == 1:
            said = describe(edit, rng.choice(LANGUAGES), rng).text
            longest = max(longest, len(tokenize_chunks(tokenizer, said, 1)[PROMPT].ids))
    assert longest <= 32


def test_the_vision_tokens_are_one_id_each_and_old_captions_keep_theirs(tokenizers):
    shipped, tokenizer = tokenizers
    assert [tokenizer(token) for token in VISION_TOKENS] == [[595], [596]]
    rng = random.Random(6)
    for scene in list(every_scene())[::40]:
        caption = training_caption(scene, rng)
        assert tokenize(tokenizer, caption) == tokenize(shipped, caption)


def test_readings_know_every_value_that_instructions_tell():
    rng = random.Random(8)
    for edit in sampled():
        stated = training_instruction(edit, rng).stated
        assert set(stated) <= set(CLASSES)
        assert all(label(CLASSES[name], stated[name]) > 0 for name in stated)
        assert label(CLASSES["kind"], None) == 0


def test_held_out_instructions_name_the_same_values():
    rng = random.Random(9)
    for edit, language in product(held_out_edits(4), LANGUAGES):
        said = held_out_instruction(edit, language, rng)
        assert said.stated["kind"] == edit.kind
        assert "{" not in said.text


def test_the_eyes_labels_are_what_the_pictures_show():
    rng = random.Random(11)
    drawn = [training_composition(rng) for _ in range(20)]
    seeds = [[rng.randrange(2**31) for _ in composition.objects] for composition in drawn]
    labels = object_labels("colour", drawn)
    for composition, own, covers, row in zip(drawn, seeds, patch_coverage(drawn, seeds), labels, strict=True):
        assert int((row > 0).sum()) == len(composition.objects)
        for obj, seed, cover in zip(composition.objects, own, covers, strict=True):
            area = np.asarray(coverage(obj, seed)).mean() / 255
            assert float(cover.mean()) == pytest.approx(area, abs=0.5 / 255)  # a patch's mean is rounded to a level
            assert tuple(COLOURS)[row[SHAPES.index(obj.shape)] - 1] == obj.colour


def test_scenes_and_compositions_agree_about_places():
    scene = Scene(shape="ring", colour="pink", size="large", row="top", column="right", ground="sky")
    assert scene.object.position == scene.position
    assert torch.tensor(np.asarray(render(scene))).shape == (64, 64, 3)
