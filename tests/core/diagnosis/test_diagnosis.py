"""What a latent's numbers say, which layer breaks, and the words for it: against closed forms and planted faults."""

import math

import pytest
import torch
from torch import nn

from zimage_core.config import VAEConfig
from zimage_core.diagnosis import (
    Form,
    LatentStatistics,
    RunFacts,
    Trial,
    cause_of_broken_step,
    latent_statistics,
    lora_problem,
    result_problem,
    settings_problem,
    start_problem,
    traced,
)

NAN, INF = float("nan"), float("inf")


def test_strength_and_spread_are_those_of_a_wave_on_a_level(generator):
    levels = torch.randn(16, generator=generator)
    wave = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(4, 4) * 0.6
    (found,) = latent_statistics((levels[:, None, None] + wave)[None])
    assert found.spread == pytest.approx(0.6, rel=1e-5)
    assert found.strength == pytest.approx(math.sqrt(0.36 + float((levels**2).mean())), rel=1e-5)


def test_raw_latents_have_the_statistics_of_scaled_ones(generator):
    scaled = torch.randn(3, 16, 8, 6, generator=generator)
    config = VAEConfig  # the published defaults
    raw = scaled / config.scaling_factor + config.shift_factor
    expected = latent_statistics(scaled)
    for one, other in zip(latent_statistics(raw, config.scaling_factor, config.shift_factor), expected, strict=True):
        assert (one.strength, one.spread) == pytest.approx((other.strength, other.spread), rel=1e-4)


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_one_number_that_is_none_is_seen_in_its_picture_alone(generator, value):
    latents = torch.randn(3, 16, 8, 8, generator=generator)
    latents[1, 3, 2, 1] = value
    assert [each.is_finite for each in latent_statistics(latents)] == [True, False, True]


def test_a_trace_names_the_first_layer_that_breaks_and_takes_its_hooks_off():
    network = nn.ModuleDict({"attention": nn.ModuleDict({"qkv": nn.Linear(4, 4), "out": nn.Linear(4, 4)})})
    qkv, out = network["attention"]["qkv"], network["attention"]["out"]
    x = torch.ones(2, 4)

    def run(between):
        with traced(network) as trace:
            out(between(qkv(x)))
        return trace.first_from()

    assert run(lambda y: y) is None
    found = run(lambda y: y / 0)
    assert (found.layer, found.part) == ("attention.out", "attention")
    qkv.weight.data[0, 0] = NAN
    found = run(lambda y: y)
    assert (found.layer, found.part) == ("attention.qkv", "linear layer")
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def trial(*, broken_at=None):
    layer = nn.ModuleDict({"w2": nn.Linear(2, 2)})
    with traced(layer) as trace:
        layer["w2"](torch.ones(1, 2) * (NAN if broken_at else 1))
    return Trial(is_finite=not broken_at, trace=trace)


BROKEN, FINE = trial(broken_at="w2"), trial()
UP_TO_FLOAT32 = {Form.SAME: BROKEN, Form.PLAIN_ATTENTION: BROKEN, Form.FLOAT32: FINE}
NEVER = {**UP_TO_FLOAT32, Form.FLOAT32: BROKEN}
CAUSES = {
    "latent": (NEVER, {"has_broken_latent": True, "has_broken_prompt": True}, "the latent was broken before"),
    "prompt": (NEVER, {"has_broken_prompt": True}, "the prompt's conditioning"),
    "file": (NEVER, {"has_broken_weight": True}, "file is damaged: download"),
    "LoRA": (NEVER, {"has_broken_weight": True, "lora_change": NAN}, "LoRAs make the weights"),
    "strong LoRA": (UP_TO_FLOAT32, {"lora_change": 3.0}, "by 300 %"),
    "again": ({Form.SAME: FINE}, {}, "run again as it was"),
    "attention": ({Form.SAME: BROKEN, Form.PLAIN_ATTENTION: FINE}, {"attention": "sage"}, "attention here (sage)"),
    "guidance": ({each: Trial(is_finite=False) for each in Form}, {"cfg": 12.0}, "guidance at CFG 12,"),
    "float16": (UP_TO_FLOAT32, {}, "float16 holds no more than 6.55e+04"),
    "nothing known": (NEVER, {}, "not even float32"),
}


@pytest.mark.parametrize("name", CAUSES)
def test_each_cause_is_told_from_the_others(name):
    trials, evidence, words = CAUSES[name]
    assert words in cause_of_broken_step(trials, dtype=torch.float16, **evidence)


def statistics(strength, spread=None):
    return LatentStatistics(strength=strength, spread=strength if spread is None else spread)


def test_a_picture_is_none_of_what_is_called_broken():
    for strength in (0.6, 1.0, 1.4):
        assert not result_problem(statistics(strength), RunFacts())
        assert not start_problem(statistics(strength))
    assert "burnt" in result_problem(statistics(2.5), RunFacts(cfg=30.0))
    assert "CFG 30 is too high" in result_problem(statistics(2.5), RunFacts(cfg=30.0))
    assert "LoRAs change" in result_problem(statistics(2.5), RunFacts(cfg=30.0, lora_change=3.0))
    assert "(sage)" in result_problem(statistics(0.2), RunFacts(attention="sage"))
    assert "one colour" in result_problem(statistics(1.0, 0.0), RunFacts())
    assert start_problem(statistics(0.24)) and not start_problem(statistics(0.04, 0.0))


def test_the_published_settings_of_a_release_suit_it_and_the_other_ones_do_not():
    turbo, base = RunFacts(cfg=1.0, steps=8, shift=3.0), RunFacts(cfg=4.0, steps=28, shift=6.0)
    assert not settings_problem(turbo, is_turbo=True) and not settings_problem(base, is_turbo=False)
    assert settings_problem(base, is_turbo=True) and settings_problem(turbo, is_turbo=False)
    assert "shift" in settings_problem(RunFacts(shift=60.0), is_turbo=True)
    assert not lora_problem(0.05)
