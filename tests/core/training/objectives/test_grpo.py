"""Noisy steps against the sampler and against Gaussians; advantages, ratios and divergences in closed form."""

import math
from itertools import pairwise

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from zimage_core.sampling import denoise, shifted_schedule
from zimage_core.training.objectives.grpo import Cps, FlowSde, Transition, group_advantages, grpo_losses, kl_losses
from zimage_core.training.objectives.matching_levels import renoised


def gaussian_velocity(mean, std):
    """dx/dsigma of the flow from N(0, 1) to N(mean, std²)."""

    def velocity(x, sigma):
        variance = ((1 - sigma) * std) ** 2 + sigma**2
        slope = (sigma - (1 - sigma) * std**2) / variance
        return slope * (x - (1 - sigma) * mean) - mean

    return velocity


def walk(rule, velocity, x, levels, generator):
    for sigma, sigma_next in pairwise(levels.tolist()):
        x = rule.transition(x, velocity(x, sigma), sigma, sigma_next).drawn(torch.randn(x.shape, generator=generator))
        yield sigma_next, x


def test_without_noise_a_step_is_eulers_to_the_bit(generator):
    noise, levels = torch.randn(2, 16, 8, 8, generator=generator), shifted_schedule(7, 3.0)

    def velocity(x, sigma):
        return torch.tanh(x) * (1 + sigma)

    expected = [step.x for step in denoise(velocity, noise, levels)]
    for rule, has_bits in ((FlowSde(noise=0.0), True), (Cps(noise=0.0), False)):
        found = [x for _, x in walk(rule, velocity, noise, levels, generator)]
        for one, other in zip(found, expected, strict=True):
            assert not has_bits or torch.equal(one, other)
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("a", [0.3, 0.7, 1.0])
def test_the_stochastic_equation_keeps_the_marginals_of_the_flow(generator, a):
    """50,000 samples of N(2, 1/4) in 400 steps: moments at every level, not only at the end."""
    mean, std, n = 2.0, 0.5, 50_000
    levels = torch.linspace(1, 0, 401)[:-1]  # the step to 0 would divide by it
    noise = torch.randn(n, 1, generator=generator)
    for index, (sigma, x) in enumerate(walk(FlowSde(noise=a), gaussian_velocity(mean, std), noise, levels, generator)):
        if index % 57 == 56 or index == 398:
            expected = math.hypot((1 - sigma) * std, sigma)
            assert x.mean().item() == pytest.approx((1 - sigma) * mean, abs=4 * expected / n**0.5 + 0.01)
            assert x.std().item() == pytest.approx(expected, rel=4 / (2 * n) ** 0.5 + 0.02)


@pytest.mark.parametrize("a", [0.0, 0.5, 1.0])
def test_coefficients_are_kept_in_one_step_of_any_length(generator, a):
    """Of a distribution that is one point, each level is known: (1 - sigma)·point + sigma·noise."""
    x = 0.2 * 3.0 + 0.8 * torch.randn(200_000, 1, generator=generator)
    velocity = (x - 3.0) / 0.8
    found = Cps(noise=a).transition(x, velocity, 0.8, 0.3).drawn(torch.randn(x.shape, generator=generator))
    assert found.mean().item() == pytest.approx(0.7 * 3.0, abs=0.004)
    assert found.std().item() == pytest.approx(0.3, rel=0.01)


def test_with_all_its_noise_a_step_is_that_of_few_step_rollouts(generator):
    x, velocity, noise = (torch.randn(3, 2, 4, 4, generator=generator) for _ in range(3))
    found = Cps(noise=1.0).transition(x, velocity, 0.8, 0.3).drawn(noise)
    torch.testing.assert_close(found, renoised(x - 0.8 * velocity, torch.full((3,), 0.3), noise))


def test_probabilities_are_those_of_a_normal_distribution_and_the_first_step_is_finite(generator):
    x, velocity, noise = (torch.randn(3, 2, 4, 4, generator=generator) for _ in range(3))
    for sigma in (1.0, 0.6):
        step = FlowSde().transition(x, velocity, sigma, 0.5)
        x_next = step.drawn(noise)
        expected = Normal(step.mean, step.std).log_prob(x_next).mean(dim=(1, 2, 3))
        torch.testing.assert_close(FlowSde().log_probability(x_next, step), expected)
    cps = Cps(noise=0.5).transition(x, velocity, 0.6, 0.5)
    torch.testing.assert_close(Cps().log_probability(cps.mean + 2, cps), torch.full((3,), -4.0))


def test_on_policy_the_ratio_is_one_and_the_gradient_that_of_the_expected_reward(generator):
    x, noise = (torch.randn(4, 2, 4, 4, generator=generator) for _ in range(2))
    velocity = torch.randn(4, 2, 4, 4, generator=generator).requires_grad_()
    advantage = torch.tensor([1.0, -2.0, 0.0, 0.5])
    for rule in (FlowSde(), Cps()):
        velocity.grad = None
        step = rule.transition(x, velocity, 0.6, 0.5)
        x_next = step.drawn(noise).detach()
        logp = rule.log_probability(x_next, step)
        losses = grpo_losses(logp, rule.log_probability(x_next, step).detach(), advantage)
        assert torch.equal(losses.detach(), -advantage)  # a ratio of exactly 1
        losses.sum().backward()
        found = velocity.grad.clone()
        velocity.grad = None
        (-advantage * rule.log_probability(x_next, rule.transition(x, velocity, 0.6, 0.5))).sum().backward()
        torch.testing.assert_close(found, velocity.grad)
        assert not found[2].count_nonzero()  # as good as its group


def test_what_has_moved_beyond_the_clip_learns_nothing_more_in_that_direction():
    moved = torch.tensor([0.1, -0.1, 0.1, -0.1], requires_grad=True)
    advantage = torch.tensor([1.0, 1.0, -1.0, -1.0])
    losses = grpo_losses(moved, torch.zeros(4), advantage, clip=0.01)
    losses.sum().backward()
    torch.testing.assert_close(losses, torch.tensor([-1.01, -math.exp(-0.1), math.exp(0.1), 0.99]))
    assert (moved.grad != 0).tolist() == [False, True, True, False]


def test_advantages_compare_within_a_group_whatever_a_rewards_scale():
    plain = torch.tensor([[[0.0, 1.0, 2.0], [5.0, 5.0, 5.0]]], dtype=torch.float64)
    one = torch.ones(1)
    found = group_advantages(plain, one)
    torch.testing.assert_close(found[0], torch.tensor([-1.0, 0.0, 1.0]).double() * 1.5**0.5, rtol=2e-4, atol=0)
    assert not found[1].count_nonzero()
    torch.testing.assert_close(group_advantages(1000 * plain - 7, one), found, rtol=2e-4, atol=0)
    both = torch.cat([plain, -100 * plain])
    torch.testing.assert_close(group_advantages(both, torch.tensor([3.0, 1.0])), found / 2, rtol=3e-4, atol=0)
    assert group_advantages(torch.tensor([[[0.0] * 99 + [1.0]]]), one).max() == 5.0


def test_what_could_not_be_measured_is_as_good_as_its_group():
    nan = math.nan
    found = group_advantages(torch.tensor([[[0.0, nan, 2.0], [nan, nan, nan]]]), torch.ones(1))
    torch.testing.assert_close(found[0], torch.tensor([-1.0, 0.0, 1.0]).double(), rtol=2e-4, atol=0)
    assert not found[1].count_nonzero()


def test_the_divergence_is_that_of_two_normal_distributions(generator):
    mean, other = (torch.randn(3, 2, 4, 4, generator=generator) for _ in range(2))
    expected = kl_divergence(Normal(mean, 0.3), Normal(other, 0.3)).mean(dim=(1, 2, 3))
    torch.testing.assert_close(kl_losses(Transition(mean, 0.3), Transition(other, 0.3)), expected)
