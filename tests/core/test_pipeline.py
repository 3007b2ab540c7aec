"""The public door of the library."""

from dataclasses import asdict, replace

import pytest
import torch
from PIL import ImageChops

import zimage_core
from zimage_core import generate
from zimage_core.nano.data.render import render
from zimage_core.nano.data.scenes import Scene
from zimage_core.nano.judging.checker import check, recognize
from zimage_core.quant import INT8
from zimage_core.sampling import TURBO, StepCache

RED_HEART = Scene(shape="heart", colour="red", size="large", row="middle", column="middle", ground="white")


def test_the_readmes_example_draws_what_it_says():
    [image] = generate("a large red heart in the middle on a white background", model="nano", seed=0)
    found = check(image, RED_HEART)
    assert all(asdict(found).values()), found


def test_the_same_seed_draws_the_same_picture_and_another_seed_another():
    once, again, other = (generate("a blue star", steps=2, seed=seed)[0] for seed in (1, 1, 2))
    assert ImageChops.difference(once, again).getbbox() is None
    assert ImageChops.difference(once, other).getbbox() is not None


def test_steps_can_be_watched_and_a_preset_chosen():
    seen = []
    [image] = generate("a ring", preset=TURBO, steps=3, size=(96, 48), on_step=seen.append)
    assert image.size == (96, 48)
    assert [step.sigma_next for step in seen][-1] == 0
    assert seen[-1].nfe == 3


def test_a_folder_laid_out_as_diffusers_does_is_a_model(tmp_path):
    from zimage_core.nano.files import FOLDER

    (tmp_path / "my-model").symlink_to(FOLDER)
    direct = generate("a green square", steps=2, preset=TURBO)[0]
    by_folder = generate("a green square", steps=2, preset=TURBO, size=(64, 64), model=tmp_path / "my-model")[0]
    assert ImageChops.difference(direct, by_folder).getbbox() is None


def test_bfloat16_draws_nearly_the_same():
    exact = generate("a large blue circle in the middle on white", steps=4)[0]
    rounded = generate("a large blue circle in the middle on white", steps=4, dtype=torch.bfloat16)[0]
    difference = ImageChops.difference(exact, rounded).convert("L")
    assert sum(difference.tobytes()) / len(difference.tobytes()) < 8


@pytest.mark.parametrize("lever", [{"scheme": INT8}, {"cache": StepCache(threshold=0.05)}], ids=["int8", "cache"])
def test_levers_that_are_not_exact_draw_nearly_the_same_and_the_checker_finds_what_was_asked(lever):
    prompt = "a large red heart in the middle on a white background"
    exact, [image] = generate(prompt)[0], generate(prompt, **lever)
    difference = ImageChops.difference(exact, image).convert("L")
    assert 0 < sum(difference.tobytes()) / len(difference.tobytes()) < 4
    assert all(asdict(check(image, RED_HEART)).values())


def test_public_names_are_those_scripts_rely_on():
    assert set(zimage_core.__all__) >= {"load_dit", "load_text_encoder", "load_vae", "generate"}


@pytest.mark.parametrize("instruction", ["make the circle red", "把圆变成红色"])
def test_an_instruction_changes_what_it_names_and_leaves_the_rest(instruction):
    before = Scene(shape="circle", colour="blue", size="large", row="middle", column="right", ground="white")
    [after] = generate(instruction, references=[render(before, 5)], seed=1)
    assert recognize(after) == replace(before, colour="red")


def test_the_last_reference_gives_the_size_and_every_one_counts():
    first, last = render(RED_HEART, 1), render(RED_HEART, 2).resize((83, 49))
    [both] = generate("make the heart blue", references=[first, last], steps=1)
    assert both.size == (80, 48)
    [one] = generate("make the heart blue", references=[last], steps=1)
    assert both.tobytes() != one.tobytes()
