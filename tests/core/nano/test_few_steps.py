"""Open prompts and the judge of few steps, against the renderer's own pictures."""

import numpy as np
from PIL import Image

from zimage_core.checkpoints import read_lora
from zimage_core.nano.data.caption_reading import stated
from zimage_core.nano.data.open_prompts import held_out_prompts, learned_prompts
from zimage_core.nano.data.render import render
from zimage_core.nano.data.scenes import Scene
from zimage_core.nano.files import FOLDER, TURBO
from zimage_core.nano.judging.judge_few_steps import SEEDS, Judges, contenders, is_whole
from zimage_core.nano.make import make_turbo
from zimage_core.nano.stages import turbo


def combination(prompt: str) -> tuple[str | None, ...]:
    said = stated(prompt)
    return tuple(said.get(name) for name in ("shape", "colour", "row", "column"))


def test_judged_prompts_leave_size_and_ground_open_and_name_what_was_never_learned():
    judged = {combination(prompt) for prompt in held_out_prompts()}
    assert {frozenset(stated(prompt)) for prompt in held_out_prompts()} == {
        frozenset(("shape", "colour", "row", "column"))
    }
    assert 2 * len(judged) == len(held_out_prompts())  # each in two languages
    assert not judged & {combination(prompt) for prompt in learned_prompts()}


def test_all_judges_find_real_renders_right_and_a_mean_of_two_pictures_not():
    prompts = held_out_prompts()[:6]
    scenes = [
        Scene(**stated(prompt), size=size, ground=ground)
        for prompt in prompts
        for size, ground in (("large", "white"), ("small", "sky"))
    ]
    pictures = [render(scene, 1) for scene in scenes]
    assert SEEDS == 2
    row = Judges().row(pictures, [prompt for prompt in prompts for _ in range(SEEDS)], seconds=24.0)
    assert row.n == row.right == row.shape == row.colour == row.place == row.whole == 12
    assert row.second >= 11  # a network, which errs
    assert (row.differing, row.seconds) == (1.0, 2.0)
    mean = np.stack([np.asarray(each.convert("RGB"), dtype=np.float32) for each in pictures[:2]]).mean(0)
    assert not is_whole(Image.fromarray(mean.astype(np.uint8)))


def test_rows_of_a_lora_are_those_of_the_chosen_steps(tmp_path):
    rows = list(contenders({"Turbo": tmp_path / "turbo.safetensors"}, few=(4, 2)))
    assert [each.calls for each in rows if each.lora] == [4, 2]
    assert {each.steps for each in rows if not each.lora} >= {1, 2, 4, 8, 20, 50}


def test_the_stage_leaves_a_lora_beside_the_transformer_it_is_for(tmp_path, monkeypatch):
    weights, recipe = tmp_path / "weights", tmp_path / "short.toml"
    weights.mkdir()
    for part in FOLDER.iterdir():
        (weights / part.name).symlink_to(part)
    keys = ("nfe = 2", "steps = 1", "batch = 1", "fake_updates = 1", "rank = 2", "checked = 0")
    recipe.write_text("\n".join(('prompts = "nano:open"', *keys)))
    monkeypatch.setattr(turbo, "RECIPE", recipe)
    monkeypatch.setattr(turbo, "learned_prompts", lambda: held_out_prompts()[:1])
    make_turbo(tmp_path / "state", weights)
    assert read_lora(weights / TURBO).deltas and not (FOLDER / TURBO).exists()
