"""DMDR's schedules: a cold start, a teacher that is helped at first, and levels that begin at noise."""

import pytest
import torch

from zimage_core.training.objectives.dmdr import Dmdr

DMDR = Dmdr(cold_start=40, dynamic=20, reward_weight=0.3)


def test_rewards_begin_after_the_cold_start():
    assert [DMDR.weight_at(each) for each in (0, 39, 40, 99)] == [0.0, 0.0, 0.3, 0.3]


def test_the_teachers_help_falls_by_a_cosine_and_ends():
    assert [DMDR.shared_at(each) for each in (0, 10, 20, 50)] == pytest.approx([0.375, 0.1875, 0.0, 0.0])
    assert Dmdr(cold_start=0, dynamic=0).shared_at(0) == 0.0


@pytest.mark.parametrize(("update", "a", "b"), [(0, 4.0, 1.5), (10, 2.5, 1.25), (20, 1.0, 1.0)])
def test_levels_are_beta_distributed_first_at_noise_and_then_uniform(generator, update, a, b):
    found = (DMDR.draw_levels(100_000, update, generator) - 0.02) / 0.96
    assert found.min() >= 0 and found.max() <= 1
    assert found.mean().item() == pytest.approx(a / (a + b), abs=0.004)
    assert found.var().item() == pytest.approx(a * b / ((a + b) ** 2 * (a + b + 1)), abs=0.002)


def test_the_same_generator_draws_the_same_levels():
    drawn = [DMDR.draw_levels(5, 3, torch.Generator().manual_seed(1)) for _ in range(2)]
    assert torch.equal(*drawn)
