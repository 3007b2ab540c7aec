"""Nano's edit pairs, their instructions, the checker that reads them and the judge that counts."""

import math
import random
from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer as FastTokenizer

from zimage_core.checkpoints import load_text_encoder, load_vae
from zimage_core.config import NANO_OMNI_DIT
from zimage_core.model import S3DiT
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
from zimage_core.nano.data.render import coverage, ground, render, render_composition
from zimage_core.nano.data.scenes import COLOURS, GROUNDS, SHAPES, Composition, Scene, SceneObject, every_scene
from zimage_core.nano.files import FOLDER, TOKENIZER
from zimage_core.nano.judging.edit_checker import check_edit, connected_components, recognize_objects
from zimage_core.nano.judging.editor import EditingModel
from zimage_core.nano.judging.judge_edits import header, report, rows, wilson
from zimage_core.nano.stages.instructions import CLASSES, PROMPT, label
from zimage_core.nano.stages.tokenizer import VISION_TOKENS, add_vision_tokens
from zimage_core.nano.stages.vision import VisionClassifier, object_labels, patch_coverage, training_composition
from zimage_core.sampling import NANO
from zimage_core.text import load_tokenizer, tokenize, tokenize_chunks
from zimage_core.training import init_weights
from zimage_core.vae import to_images


@cache
def sampled(n=144):
    rng = random.Random(7)
    return tuple(training_edit(rng, KINDS[index % len(KINDS)]) for index in range(n))


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


def test_held_out_edits_are_never_sampled_and_always_the_same():
    held_out = held_out_edits()
    assert held_out == held_out_edits()
    assert len(set(held_out)) == len(held_out) >= 300
    assert all(edit.is_held_out for edit in held_out)
    assert not any(
        edit.is_held_out or edit.source.shows_held_out_scene or edit.target.shows_held_out_scene for edit in sampled()
    )


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


def test_no_instruction_means_two_things():
    """Same words, same told values, whatever edit and template they came from."""
    rng, meanings = random.Random(3), {}
    for _ in range(800):
        edit = any_edit(rng, rng.choice(KINDS))
        language = rng.choice(LANGUAGES)
        templates = TEMPLATES[language][edit.kind] + HELD_OUT_TEMPLATES[language][edit.kind]
        said = instruct(edit, language, rng.choice(templates), rng)
        assert meanings.setdefault(said.text, said.stated) == said.stated


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
        assert all(label(name, stated) > 0 for name in stated)
        assert label("kind", {}) == 0


def test_the_checker_reads_real_pairs():
    """The same rate as for scenes: 0.99 at the least."""
    edits = held_out_edits(17)
    pictures = [edit.render(seed) for seed, edit in enumerate(edits)]
    done = [check_edit(target, edit).is_success for edit, (_, target) in zip(edits, pictures, strict=True)]
    undone = [check_edit(source, edit).edited for edit, (source, _) in zip(edits, pictures, strict=True)]
    assert np.mean(done) >= 0.99
    assert not any(undone)


def test_the_checker_reads_empty_pictures():
    for name in GROUNDS:
        assert recognize_objects(ground(name, 64)) == (name, [])


def test_the_checker_notices_each_thing_that_can_go_wrong():
    star = SceneObject(shape="star", colour="blue", size="small", row="bottom", column="left")
    edit = next(edit for edit in sampled() if edit.kind == "recolour" and not edit.unchanged)
    assert edit.after
    obj = edit.after
    others = [shape for shape in SHAPES if shape not in (obj.shape, "star")]
    wrong_shape = SceneObject(**{**vars(obj), "shape": others[0]})
    other_ground = next(name for name in GROUNDS if name != edit.ground)

    def score(ground, *objects):
        return vars(
            check_edit(render_composition(Composition(ground=ground, objects=objects), (1,) * len(objects)), edit)
        )

    right = {"edited": True, "others": True, "nothing_else": True, "ground": True}
    assert score(edit.ground, obj) == right
    assert score(edit.ground, wrong_shape) == {**right, "edited": False}
    assert score(edit.ground) == {**right, "edited": False, "nothing_else": False}
    assert score(other_ground, obj) == {**right, "edited": False, "ground": False}
    if obj.is_apart_from(star) and obj.shape != "star":
        assert score(edit.ground, obj, star) == {**right, "nothing_else": False}


def fake_rows(editor):
    edits = held_out_edits(3)
    return {row.name: row for row in rows(editor(edits), list, edits)}


def perfect(edits):
    """Looks the answers up: a batch's seed is the place of its first edit in the list."""
    answers = [edit.render(seed)[1] for seed, edit in enumerate(edits)]
    return lambda sources, instructions, first: answers[first : first + len(sources)]


def test_a_perfect_editor_scores_one_and_leaves_everything_else_alone():
    judge_all = fake_rows(perfect)
    assert all(judge_all[language].success("all")[0] == 1 for language in LANGUAGES)
    assert judge_all["en"].psnr_outside == math.inf


def test_an_editor_that_does_nothing_scores_zero_and_leaves_everything_alone():
    judge_all = fake_rows(lambda edits: lambda sources, instructions, seed: list(sources))
    assert judge_all["zh"].success("all")[0] == 0
    assert judge_all["zh"].psnr_outside == math.inf


def test_an_editor_that_paints_over_everything_leaves_nothing_alone():
    grey = Image.new("RGB", (64, 64), (140, 140, 140))
    judge_all = fake_rows(lambda edits: lambda sources, instructions, seed: [grey for _ in sources])
    assert judge_all["en"].psnr_outside < 15


def test_the_table_is_markdown_with_a_cell_for_every_name():
    edits = held_out_edits(1)
    lines = "\n".join(report(perfect(edits), list, edits)).splitlines()
    assert lines[:2] == header(len(edits)).splitlines()
    assert {line.count("|") for line in lines} == {lines[0].count("|")}


def test_wilsons_interval_is_that_of_the_closed_form():
    """0 of n: z²/(n + z²) above; half of n: symmetric about a half."""
    z = 1.96
    assert wilson(0, 50) == pytest.approx((0, z * z / (50 + z * z)))
    low, high = wilson(25, 50)
    assert low + high == pytest.approx(1)


def test_held_out_instructions_name_the_same_values():
    rng = random.Random(9)
    for edit, language in product(held_out_edits(4), LANGUAGES):
        said = held_out_instruction(edit, language, rng)
        assert said.stated["kind"] == edit.kind
        assert "{" not in said.text


def test_an_editor_whose_network_says_nothing_returns_its_noise():
    """A fresh transformer predicts zero, so the picture is the starting noise, decoded; whatever it looked at."""
    dit = S3DiT(NANO_OMNI_DIT)
    init_weights(dit, torch.Generator().manual_seed(0))
    vae = load_vae(FOLDER / "vae", torch.float32)
    model = EditingModel(
        dit=dit,
        text_encoder=load_text_encoder(FOLDER / "text_encoder", torch.float32),
        vae=vae,
        tower=VisionClassifier().tower,
        tokenizer=load_tokenizer(FOLDER / TOKENIZER),
        preset=replace(NANO, steps=1),
    )
    edits = sampled()[:2]
    with torch.inference_mode():
        results = model.edit([edit.render(0)[0] for edit in edits], ["make it red", "去掉圆"], 5)
        noise = torch.randn(2, 16, 8, 8, generator=torch.Generator().manual_seed(5))
        for result, expected in zip(results, to_images(vae.decode(noise)), strict=True):
            assert np.array_equal(result, expected)


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
