"""nano's edit checker and the table of judged edits, against renders with known results."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from edit_samples import sampled
from zimage_core.checkpoints import load_text_encoder, load_vae
from zimage_core.config import NANO_OMNI_DIT
from zimage_core.model import S3DiT
from zimage_core.nano.data.captions import LANGUAGES
from zimage_core.nano.data.edits import held_out_edits
from zimage_core.nano.data.render import ground, render_composition
from zimage_core.nano.data.scenes import GROUNDS, SHAPES, Composition, SceneObject
from zimage_core.nano.files import FOLDER, TOKENIZER
from zimage_core.nano.judging.edit_checker import check_edit, recognize_objects
from zimage_core.nano.judging.editor import EditingModel
from zimage_core.nano.judging.judge_edits import header, report, rows
from zimage_core.nano.stages.vision import VisionClassifier
from zimage_core.sampling import NANO
from zimage_core.text import load_tokenizer
from zimage_core.training import init_weights
from zimage_core.vae import to_images


@pytest.mark.slow
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
        assert recognize_objects(ground(name)) == (name, [])


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


@pytest.mark.slow
def test_a_perfect_editor_scores_one_and_leaves_everything_else_alone():
    judge_all = fake_rows(perfect)
    assert all(judge_all[language].success("all")[0] == 1 for language in LANGUAGES)
    assert judge_all["en"].psnr_outside == math.inf


@pytest.mark.slow
def test_an_editor_that_does_nothing_scores_zero_and_leaves_everything_alone():
    judge_all = fake_rows(lambda edits: lambda sources, instructions, seed: list(sources))
    assert judge_all["zh"].success("all")[0] == 0
    assert judge_all["zh"].psnr_outside == math.inf


@pytest.mark.slow
def test_an_editor_that_paints_over_everything_leaves_nothing_alone():
    grey = Image.new("RGB", (64, 64), (140, 140, 140))
    judge_all = fake_rows(lambda edits: lambda sources, instructions, seed: [grey for _ in sources])
    assert judge_all["en"].psnr_outside < 15


@pytest.mark.slow
def test_the_table_is_markdown_with_a_cell_for_every_name():
    edits = held_out_edits(1)
    lines = "\n".join(report(perfect(edits), list, edits)).splitlines()
    assert lines[:2] == header(len(edits)).splitlines()
    assert {line.count("|") for line in lines} == {lines[0].count("|")}


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
