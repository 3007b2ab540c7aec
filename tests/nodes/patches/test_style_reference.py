"""Z-Image Style Reference on our MODEL and on a stock one: neutral settings, ranges, samplers and neighbours."""

import importlib
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch


@pytest.fixture(scope="module")
def models(pack, native, tmp_path_factory):
    """Our MODEL and native's on the same weights."""
    config = replace(native.CONFIG, n_layers=2, n_refiner_layers=1)
    return SimpleNamespace(ours=native.ours(pack, tmp_path_factory.mktemp("style"), config), stock=native.model(config))


@pytest.fixture(scope="module")
def style(pack):
    """The module of the patch, as the pack imports it."""
    return importlib.import_module("zimage_pack.nodes.bridge.patches.style_reference")


@pytest.fixture
def stock_draw(draw):
    """The stock KSampler."""
    return draw


def reference(seed=3, size=(8, 8)):
    return torch.randn(1, 16, *size, generator=torch.Generator().manual_seed(seed))


def sampled(pack, native, model, captions=(17, 40), cfg=1.0, steps=4):
    core = pack.bridge_sampling
    return core.sample(
        model,
        native.conditioning(captions[0], 1),
        native.conditioning(captions[1], 2),
        {"samples": torch.zeros(1, 16, 8, 8)},
        sigmas=pack.groups[3].shifted_schedule(steps, 3.0),
        seed=7,
        solver="euler",
        guidance=core.Guidance(cfg=cfg),
    ).latent["samples"]


@pytest.mark.parametrize("settings", [(0.0, (0.0, 1.0)), (1.0, (0.5, 0.5))])
def test_neutral_settings_change_no_bit(pack, native, models, style, settings):
    plain = sampled(pack, native, models.ours)
    assert torch.equal(sampled(pack, native, style.with_style_reference(models.ours, [reference()], *settings)), plain)


def test_a_range_acts_in_its_steps_alone(pack, native, models, style):
    """Two steps with the reference and two without are the two halves of other runs."""
    seen = []
    steered = style.with_style_reference(models.ours, [reference()], 1.0, (0.0, 0.5))
    original = style.SharedLayers.sharing

    def counted(self, index, strength, attend):
        seen.append(index)
        return original(self, index, strength, attend)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(style.SharedLayers, "sharing", counted)
        sampled(pack, native, steered)
    assert seen == [0, 1] * 2  # percents 0 and 0.25 of four steps; that at 0.5 begins behind the range


@pytest.mark.parametrize("cfg", [1.0, 3.0])
@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_an_attached_stock_model_draws_the_same(pack, native, models, style, cfg, strength):
    pictures = [
        sampled(pack, native, style.with_style_reference(model, [reference()], strength, (0.0, 1.0)), cfg=cfg)
        for model in (models.ours, models.stock)
    ]
    torch.testing.assert_close(*pictures, rtol=0, atol=2e-3)
    assert (pictures[0] - sampled(pack, native, models.ours, cfg=cfg)).abs().max() > 1e-2


def test_the_stock_sampler_is_steered_too(native, models, style, stock_draw):
    steered = style.with_style_reference(models.ours, [reference()], 1.0, (0.0, 1.0))
    assert (stock_draw(steered) - stock_draw(models.ours)).abs().max() > 1e-2


def test_a_reference_of_another_size_and_a_second_one(pack, native, models, style):
    both = [reference(3, (6, 10)), reference(4, (7, 5))]
    steered = [style.with_style_reference(models.ours, each, 1.0, (0.0, 1.0)) for each in (both, both[:1])]
    pictures = [sampled(pack, native, each) for each in steered]
    assert all(picture.isfinite().all() for picture in pictures)
    assert not torch.equal(*pictures)


def test_nothing_stays_on_the_model(pack, native, models, style):
    plain = sampled(pack, native, models.ours)
    sampled(pack, native, style.with_style_reference(models.ours, [reference()], 1.0, (0.0, 1.0)))
    assert torch.equal(sampled(pack, native, models.ours), plain)
