"""Noise levels have the distribution that is asked for, and weights the mean they should have."""

import math

import pytest
import torch

from zimage_core.training.objectives.noise_levels import NoiseLevels, dynamic_shift


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_uniform_levels_are_comfyuis(generator, shift):
    """ComfyUI's trainer takes a random percent of the schedule: its quantiles are those of the shifted line."""
    levels = NoiseLevels(distribution="uniform", shift=shift).draw(40_000, 64, generator).sort().values.double()
    percent = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    expected = shift * percent / (1 + (shift - 1) * percent)
    torch.testing.assert_close(levels.quantile(percent), expected, atol=0.01, rtol=0)


def test_the_bell_has_mean_one_and_ends_in_nothing():
    weight = NoiseLevels(weighting="bell").weight(torch.linspace(0, 1, 100_001, dtype=torch.float64))
    assert torch.trapezoid(weight, dx=1e-5).item() == pytest.approx(1, abs=1e-6)
    assert weight[0].item() == pytest.approx(0, abs=1e-6) and weight.argmax() == 50_000


def test_sigma_squared_makes_the_loss_that_on_the_clean_picture(generator):
    """x0 = x - sigma·v, so an error of v is sigma times as large in x0."""
    sigma, error = torch.rand(100, generator=generator), torch.randn(100, generator=generator)
    weighted = NoiseLevels(weighting="sigma2").weight(sigma) * error.square()
    torch.testing.assert_close(weighted, (sigma * error).square())


def test_the_dynamic_shift_is_the_reports():
    assert dynamic_shift(256) == pytest.approx(math.exp(0.5)) and dynamic_shift(4096) == pytest.approx(math.exp(1.15))
    assert dynamic_shift(64) == pytest.approx(1.60, abs=0.01)  # measured independently for 64 tokens
