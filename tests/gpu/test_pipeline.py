"""Prompt to picture on the GPU with the built-in model, compared with pictures from the CPU."""

from dataclasses import asdict, replace

import pytest
import torch
from PIL import ImageChops

import gpu
from zimage_core import generate
from zimage_core.nano.data.render import render
from zimage_core.nano.data.scenes import Scene
from zimage_core.nano.judging.checker import check, recognize
from zimage_core.quant import INT8
from zimage_core.runtime.offload.plan_inputs import RESERVE
from zimage_core.sampling import StepCache

PROMPT = "a large red heart in the middle on a white background"
HEART = Scene(shape="heart", colour="red", size="large", row="middle", column="middle", ground="white")


def levels(one, other):
    """Mean and maximum difference of two pictures, in 8-bit levels."""
    difference = ImageChops.difference(one, other).tobytes()
    return sum(difference) / len(difference), max(difference)


@pytest.mark.parametrize("prompt", [PROMPT, "一个大的蓝色圆在中间，白色背景"])
def test_a_picture_in_float32_is_that_of_the_cpu(prompt):
    [found], [expected] = generate(prompt, device=str(gpu.DEVICE), seed=3), generate(prompt, seed=3)
    mean, largest = levels(found, expected)
    assert mean < 0.1 and largest <= 3


@pytest.mark.parametrize(
    "option",
    [{"dtype": torch.bfloat16}, {"scheme": INT8}, {"cache": StepCache(threshold=0.05)}],
    ids=lambda each: [*each][0],
)
def test_lossy_options_still_draw_what_the_prompt_describes(option):
    [found] = generate(PROMPT, device=str(gpu.DEVICE), **option)
    assert all(asdict(check(found, HEART)).values())


def test_an_edit_changes_only_what_the_instruction_names():
    before = Scene(shape="circle", colour="blue", size="large", row="middle", column="right", ground="white")
    picture = render(before, 5)
    [found] = generate("make the circle red", references=[picture], seed=1, device=str(gpu.DEVICE))
    [expected] = generate("make the circle red", references=[picture], seed=1)
    assert recognize(found) == replace(before, colour="red")
    assert levels(found, expected)[0] < 0.1


@pytest.mark.parametrize("limit", [10**10, RESERVE + 19_000_000], ids=["all on the GPU", "all blocks streamed"])
def test_within_a_memory_limit_the_picture_is_the_one_without(limit):
    plans = []
    [found] = generate(PROMPT, device=str(gpu.DEVICE), memory_limit=limit, on_plan=plans.append)
    [expected] = generate(PROMPT, device=str(gpu.DEVICE))
    assert bool(plans[0].streamed) == (limit < 10**9)
    mean, largest = levels(found, expected)
    assert mean < 0.1 and largest <= 3
