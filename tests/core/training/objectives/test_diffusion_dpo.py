"""Preference pairs: where the gradient vanishes, its closed form, what an anchor holds, and which pairs come first."""

import math

import pytest
import torch

from zimage_core.training.objectives.diffusion_dpo import DiffusionDpo, Errors, easiest, velocity_errors


@pytest.fixture
def pair(generator):
    chosen, rejected, noise = (torch.randn(2, 3, 4, 4, generator=generator) for _ in range(3))
    return chosen, rejected, noise


def errors(weight, pair):
    """Of a network with one weight, whose velocity is weight·x at level 1/2."""
    chosen, rejected, noise = pair
    return Errors(*(velocity_errors(weight * (x0 + noise) / 2, x0, noise) for x0 in (chosen, rejected)))


def gradient(losses, weight):
    return torch.autograd.grad(losses.sum(), weight)[0]


def test_as_long_as_policy_and_base_agree_the_loss_is_log_two_whose_gradient_is_known(pair):
    weight = torch.tensor(0.3, requires_grad=True)
    dpo = DiffusionDpo(beta=10.0, anchor=0.0)
    policy = errors(weight, pair)
    losses = dpo.losses(policy, errors(weight, pair))
    torch.testing.assert_close(losses, torch.full((2,), math.log(2)))
    expected = 10.0 / 4 * gradient(policy.chosen - policy.rejected, weight)
    torch.testing.assert_close(gradient(dpo.losses(errors(weight, pair), errors(weight, pair)), weight), expected)


def test_the_gradient_vanishes_for_two_equal_pictures_and_for_a_pair_that_is_told_apart(pair):
    chosen, rejected, noise = pair
    weight = torch.tensor(0.3, requires_grad=True)
    base = errors(torch.tensor(0.7), (chosen, chosen, noise))
    dpo = DiffusionDpo(beta=10.0, anchor=0.0)
    assert gradient(dpo.losses(errors(weight, (chosen, chosen, noise)), base), weight) == 0
    policy, base = errors(weight, pair), errors(torch.tensor(0.3), pair)
    far = Errors(base.chosen + 100, base.rejected - 100)  # the policy does far better on the chosen picture
    assert gradient(dpo.losses(policy, far), weight).abs() < 1e-20
    assert (dpo.margins(policy, far) > 0).all() and (dpo.margins(policy, base) == 0).all()


def test_the_anchor_is_flow_matching_on_the_chosen_picture_alone(pair):
    weight = torch.tensor(0.3, requires_grad=True)
    policy, base = errors(weight, pair), errors(torch.tensor(0.3), pair)
    with_it, without = (DiffusionDpo(beta=10.0, anchor=each).losses(policy, base) for each in (0.2, 0.0))
    torch.testing.assert_close(with_it - without, 0.2 * policy.chosen)


def test_a_loss_that_lets_both_errors_rise_is_held_by_the_anchor(pair):
    """The pair tells only the difference; a step from an optimum of flow matching is paid for by the anchor."""
    dpo = DiffusionDpo(beta=1.0, anchor=10.0)
    weight = torch.tensor(0.3, requires_grad=True)
    base = errors(torch.tensor(0.3), pair)
    policy = errors(weight, pair)
    anchored = gradient(dpo.losses(policy, base), weight)
    torch.testing.assert_close(
        anchored,
        gradient(DiffusionDpo(beta=1.0, anchor=0.0).losses(errors(weight, pair), base), weight)
        + 10 * gradient(errors(weight, pair).chosen, weight),
    )


def test_a_curriculum_begins_with_the_easiest_quarter_and_ends_with_all():
    difficulties = [8.0, 1.0, 7.0, 2.0, 6.0, 3.0, 5.0, 4.0]
    assert easiest(difficulties, 0.0, 0.5) == [1, 3]
    assert easiest(difficulties, 0.25, 0.5) == [1, 3, 5, 7, 6]
    for done in (0.5, 1.0):
        assert sorted(easiest(difficulties, done, 0.5)) == list(range(8))
    assert len(easiest(difficulties, 0.0, 0.0)) == 8 and easiest([3.0], 0.0, 0.5) == [0]
