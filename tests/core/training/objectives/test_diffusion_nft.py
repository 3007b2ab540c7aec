"""Networks on either side of the old one: where the gradient vanishes, and where the loss has its minimum."""

import pytest
import torch

from zimage_core.training.objectives.diffusion_nft import DiffusionNft

NFT = DiffusionNft(strength=0.1, kl=0.0)


@pytest.fixture
def drawn(generator):
    z, noise, old, base = (torch.randn(3, 2, 4, 4, generator=generator, dtype=torch.float64) for _ in range(4))
    sigma = torch.tensor([0.2, 0.5, 0.9], dtype=torch.float64)
    level = sigma.reshape(-1, 1, 1, 1)
    return {"old": old, "base": base, "x": (1 - level) * z + level * noise, "z": z, "sigma": sigma}


def gradient(velocity, drawn, optimality, nft=NFT):
    velocity = velocity.clone().requires_grad_()
    nft.losses(velocity, **drawn, optimality=torch.full((3,), optimality)).sum().backward()
    return velocity.grad


def test_at_the_old_policy_the_gradient_is_the_error_times_how_good_the_picture_is(drawn):
    """(1 - 2r)·2·sigma·(x0 - z) / mean|x0 - z| · A_max / values, nothing for a picture as good as its group."""
    assert not gradient(drawn["old"], drawn, 0.5).abs().max() > 1e-12
    level = drawn["sigma"].reshape(-1, 1, 1, 1)
    error = drawn["x"] - level * drawn["old"] - drawn["z"]
    norm = error.abs().mean(dim=(1, 2, 3), keepdim=True)
    for r in (0.0, 0.3, 1.0):
        expected = (2 * r - 1) * 2 * level * error / norm * 5.0 / error[0].numel()
        torch.testing.assert_close(gradient(drawn["old"], drawn, r), -expected)


def test_it_vanishes_where_the_old_policy_already_predicts_the_picture(drawn):
    level = drawn["sigma"].reshape(-1, 1, 1, 1)
    exact = (drawn["x"] - drawn["z"]) / level
    found = gradient(exact, {**drawn, "old": exact}, 1.0)
    assert found.abs().max() < 1e-6


def test_steps_down_the_loss_end_where_good_pictures_are_predicted_and_bad_ones_fled(drawn):
    """With equal norms the minimum is v = v_old + (2r - 1)·(x0_old - z) / (sigma·b): so is every direction."""
    level = drawn["sigma"].reshape(-1, 1, 1, 1)
    toward = (drawn["x"] - level * drawn["old"] - drawn["z"]) / level  # from v_old to where z is predicted
    for r, sign in ((1.0, 1), (0.8, 1), (0.2, -1), (0.0, -1)):
        down = -gradient(drawn["old"], drawn, r)
        assert torch.equal((down * toward).sum(dim=(1, 2, 3)).sign(), torch.full((3,), float(sign)).double())
    good = drawn["old"] + toward / NFT.strength  # a whole picture away, as v moves x0+ by b alone
    assert gradient(good, drawn, 1.0).abs().max() < 1e-6


def test_the_base_holds_what_no_reward_tells(drawn):
    nft = DiffusionNft(strength=0.1, kl=2.0)
    found = gradient(drawn["old"], drawn, 0.5, nft)
    expected = 2 * 2.0 * (drawn["old"] - drawn["base"]) / drawn["old"][0].numel()
    torch.testing.assert_close(found, expected)
    assert not gradient(drawn["base"], {**drawn, "old": drawn["base"]}, 0.5, nft).abs().max() > 1e-12


def test_advantages_become_rewards_from_nothing_to_one():
    found = NFT.optimality(torch.tensor([-9.0, -5.0, 0.0, 2.5, 5.0, 9.0]))
    assert found.tolist() == [0.0, 0.0, 0.5, 0.75, 1.0, 1.0]
