"""Percents of a run: part of the schedule that this run samples along, whichever node set it.

Where our samplers sample at another shift than the MODEL's, the truth is the schedule itself: of n even steps, those at
i / n <= p lie within percent p, whatever the shift.
"""

import pytest
import torch

from controlled_pictures import draw, picture
from native_pictures import extra, stock_node

STEPS, END = 28, 0.6
WITHIN = sum(index / STEPS <= END for index in range(STEPS))


def aura_flow(model, shift):
    return extra("nodes_model_advanced", "ModelSamplingAuraFlow")(model=model, shift=shift)[0]


@pytest.fixture(scope="module")
def sample(pack, native):
    """Our base sampler's node; without guidance unless asked, which is one evaluation a step."""

    def call(model, *, positive=None, shift=6.0, cfg=1.0, strength=1.0, size=4, steps=STEPS):
        defaults = {"cfg_normalization": 0.0, "cfg_truncation": 1.0, "solver": "euler", "seed": 7}
        latent = torch.randn(1, 16, size, size, generator=torch.Generator().manual_seed(2)) if strength < 1 else None
        return (
            pack.groups[3]
            .ZImageSampler.execute(
                model=model,
                positive=positive or native.conditioning(17, 1),
                negative=native.conditioning(9, 2),
                latent={"samples": torch.zeros(1, 16, size, size) if latent is None else latent},
                steps=steps,
                shift=shift,
                cfg=cfg,
                strength=strength,
                **defaults,
            )
            .result
        )

    return call


ORDERS = {
    "alone": lambda model, steer: steer(model),
    "ModelSamplingAuraFlow before": lambda model, steer: steer(aura_flow(model, 6.0)),
    "ModelSamplingAuraFlow after": lambda model, steer: aura_flow(steer(model), 6.0),
    "another shift after": lambda model, steer: aura_flow(steer(model), 1.3),
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_a_controls_range_is_part_of_our_samplers_schedule(deep, lite, steer, sample, calls, order):
    model = order(deep.ours, lambda model: steer(model, lite.ours, image=picture(2), end_percent=END))
    sample(model)
    assert len(calls) == WITHIN == 17


@pytest.mark.parametrize("name", ["ModelSamplingAuraFlow before", "ModelSamplingAuraFlow after"])
def test_a_controls_range_is_part_of_a_stock_samplers_schedule(native, deep, lite, steer, calls, name):
    model = ORDERS[name](deep.ours, lambda model: steer(model, lite.ours, image=picture(2), end_percent=END))
    draw(native, model, steps=10, size=(4, 4))
    assert len(calls) == 7  # i / 10 <= 0.6


def test_one_control_serves_models_of_different_shifts_in_turn(native, deep, lite, steer, calls):
    steered = steer(deep.ours, lite.ours, image=picture(2), end_percent=0.55)
    for shift in (6.0, 1.5, 3.0):
        calls.clear()
        draw(native, aura_flow(steered, shift), steps=8, size=(4, 4))
        assert len(calls) == 5  # i / 8 <= 0.55


def test_strength_leaves_a_percent_where_it_was(deep, lite, steer, sample, calls):
    """It skips the schedule's beginning: of the steps within 60 %, those past the first half are left."""
    sample(steer(deep.ours, lite.ours, image=picture(2), end_percent=END), strength=0.5)
    assert len(calls) == sum(0.5 <= index / STEPS <= END for index in range(STEPS))


def test_a_timestep_range_is_part_of_our_samplers_schedule(native, deep, sample):
    """A prompt that ends is not evaluated any more."""
    limit = stock_node("nodes", "ConditioningSetTimestepRange")
    (positive,) = limit(conditioning=native.conditioning(17, 1), start=0.0, end=END)
    assert sample(deep.ours, positive=positive)[1] == WITHIN
    assert sample(deep.ours, positive=positive, shift=1.0)[1] == WITHIN


SHIFTS = {"ModelSamplingAuraFlow": aura_flow, "ModelSamplingFlux": lambda model, shift: flux(model)}


def flux(model):
    node = extra("nodes_model_advanced", "ModelSamplingFlux")
    return node(model=model, max_shift=1.15, base_shift=0.5, width=1024, height=1024)[0]


@pytest.mark.parametrize("change", SHIFTS.values(), ids=SHIFTS)
def test_whatever_asks_the_model_that_samples_learns_the_sigmas_of_our_schedule(comfy, pack, deep, sample, change):
    from comfy.patcher_extension import WrappersMP

    answers = []

    def ask(executor, *args, **kwargs):
        answers.extend(executor.class_obj.model_sampling.percent_to_sigma(each) for each in (0.25, 0.5, 0.75))
        return executor(*args, **kwargs)

    model = change(deep.ours, 1.3).clone()
    model.add_wrapper(WrappersMP.APPLY_MODEL, ask)
    sample(model, steps=1)
    torch.testing.assert_close(torch.tensor(answers[:3]), pack.groups[3].shifted_schedule(4, 6.0)[1:4])
    assert deep.ours.get_model_object("model_sampling").shift == 3.0  # and nothing stays


def test_at_the_models_own_shift_nothing_is_changed(pack, deep):
    clone = deep.ours.clone()
    pack.bridge_model_shift.set_shift(clone, 3.0)
    assert not clone.object_patches


def test_the_shift_alone_changes_no_picture(deep, sample):
    """Whether the MODEL's own shift is the run's or not, no bit differs where nothing has a range."""
    ours, theirs = (sample(model, steps=2)[0]["samples"] for model in (deep.ours, aura_flow(deep.ours, 6.0)))
    assert torch.equal(ours, theirs)
