"""Open prompts and the judge of few steps, against the renderer's own pictures."""

import numpy as np
from PIL import Image

from zimage_core.nano.data.caption_reading import stated
from zimage_core.nano.data.open_prompts import held_out_prompts, learned_prompts
from zimage_core.nano.data.render import render
from zimage_core.nano.data.scenes import Scene
from zimage_core.nano.judging.judge_few_steps import SEEDS, Judges, is_whole


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
