"""Distribution matching on Gaussians, whose clean predictions are known: what must vanish, what must stay."""

from dataclasses import replace
from functools import partial

import pytest
import torch

from zimage_core.training.objectives import DecoupledDmd, decoupled_dmd
from zimage_core.training.objectives.decoupled import regression_losses
from zimage_core.training.objectives.dmd2 import dmd2

CFG = 4.0
LEVELS = torch.tensor([1.0, 0.9, 0.5, 0.03, 0.01])
SHAPE = (len(LEVELS), 3, 4, 4)


def gaussian(mean, std):
    """E[x0 | x] of data N(mean, std²) at x = (1 - s)·x0 + s·noise."""

    def denoiser(x, sigma):
        s = sigma.reshape(-1, *[1] * (x.ndim - 1))
        gain = (1 - s) * std**2 / ((1 - s) ** 2 * std**2 + s**2)
        return mean + gain * (x - (1 - s) * mean)

    return denoiser


def recorded(denoiser, calls):
    def recording(x, sigma):
        calls.append((x, sigma))
        return denoiser(x, sigma)

    return recording


TEACHER, UNCONDITIONAL, FAKE = gaussian(2.0, 0.5), gaussian(0.0, 1.0), gaussian(1.0, 0.7)


def matched(x0, fake=FAKE, teacher=TEACHER, uncond=UNCONDITIONAL, seed=0, sigma_k=LEVELS, **options):
    return decoupled_dmd(
        x0,
        teacher,
        uncond,
        fake,
        sigma_k=sigma_k,
        cfg=CFG,
        generator=torch.Generator().manual_seed(seed),
        options=DecoupledDmd(**options),
    )


@pytest.fixture
def x0(generator):
    return 1 + 0.7 * torch.randn(SHAPE, generator=generator)


def test_where_the_fake_score_is_the_teachers_distribution_matching_vanishes(x0):
    found = matched(x0, fake=TEACHER)
    assert found.dm.count_nonzero() == 0 and torch.equal(found.target, found.x0 + found.ca_normalized)
    assert matched(x0).dm.abs().mean() > 0.1


def test_guidance_of_known_predictions_is_cfg_less_one_times_their_difference(x0):
    """Predictions that differ by a constant vector, in either order."""
    vector = torch.linspace(-1, 1, x0[0].numel()).reshape(x0[0].shape)
    found = matched(x0, teacher=lambda x, s: 0.5 * x + vector, uncond=lambda x, s: 0.5 * x)
    torch.testing.assert_close(found.ca, (CFG - 1) * vector.expand_as(x0), rtol=0, atol=1e-6)
    assert matched(x0, uncond=TEACHER).ca.count_nonzero() == 0


def test_each_part_is_divided_by_its_own_items_distance_to_the_teacher(x0):
    seen = []
    found = matched(x0, teacher=recorded(TEACHER, seen))
    for (x, sigma), levels, part, divided in zip(
        seen,
        (found.sigma_ca, found.sigma_dm),
        (found.ca, found.dm),
        (found.ca_normalized, found.dm_normalized),
        strict=True,
    ):
        assert torch.equal(sigma, levels)
        for item in range(len(x0)):
            norm = (x0[item] - TEACHER(x[item : item + 1], sigma[item : item + 1])[0]).abs().mean().clamp(min=0.1)
            torch.testing.assert_close(divided[item], part[item] / norm)


def published_dmd2(g, x, sigma):
    """Where DMD2's own code sends a student."""
    real = UNCONDITIONAL(x, sigma) + CFG * (TEACHER(x, sigma) - UNCONDITIONAL(x, sigma))
    p_real, p_fake = g - real, g - FAKE(x, sigma)
    return g - (p_real - p_fake) / p_real.abs().mean(dim=[1, 2, 3], keepdim=True)


def test_with_one_level_and_one_normalizer_both_are_dmd2s_published_formula(x0):
    x0, seen = x0.double(), []  # in float32 a small distance to the teacher enlarges rounding
    found = matched(x0, teacher=recorded(TEACHER, seen), levels="shared", normalizers="shared", least_norm=0.0)
    [(x, sigma)] = seen  # the teacher is asked once for both parts
    assert torch.equal(found.sigma_ca, sigma) and torch.equal(found.sigma_dm, sigma)
    torch.testing.assert_close(found.target, published_dmd2(x0, x, sigma), rtol=0, atol=1e-6)
    seen.clear()
    generator = torch.Generator().manual_seed(1)
    classic = dmd2(x0, recorded(TEACHER, seen), UNCONDITIONAL, FAKE, cfg=CFG, generator=generator)
    torch.testing.assert_close(classic, published_dmd2(x0, *seen[0]), rtol=0, atol=1e-6)


def test_one_normalizer_needs_one_level():
    with pytest.raises(ValueError, match="both at one level"):
        DecoupledDmd(normalizers="shared")


LIMITS = {"decoupled": (True, False), "full": (False, False), "below": (True, True), "shared": (False, False)}


@pytest.mark.parametrize("levels", LIMITS)
def test_guidance_never_looks_above_the_students_level_and_matching_looks_everywhere(levels):
    """Every level of every grid of 1 to 8 steps, and some that no grid has."""
    grids = torch.cat([3 * u / (1 + 2 * u) for n in range(1, 9) for u in [torch.linspace(1, 0, n + 1)[:-1]]])
    sigma_k = torch.cat((grids, torch.tensor([1.0, 0.021, 0.02, 0.0199, 1e-3])))
    x0 = torch.zeros(len(sigma_k), 1)
    drawn = [matched(x0, seed=seed, sigma_k=sigma_k, levels=levels) for seed in range(150)]
    ca, dm = torch.stack([each.sigma_ca for each in drawn]), torch.stack([each.sigma_dm for each in drawn])
    for found, is_below in zip((ca, dm), LIMITS[levels], strict=True):
        if is_below:
            assert (found <= sigma_k).all()
            wide = sigma_k > 0.1  # fills the range up to there
            assert (found.amax(0) > 0.9 * sigma_k.clamp(max=0.98))[wide].all()
        else:
            assert (found.amax(0) > 0.9).all() and (found.amax(0) <= 0.98).all()
        assert (found.amin(0) < 0.1).all() and (found.amin(0) >= sigma_k.clamp(max=0.02) - 1e-9).all()
    assert torch.equal(ca, dm) == (levels == "shared")


@pytest.mark.parametrize(("left", "asked"), [("ca_weight", {"teacher", "fake"}), ("dm_weight", {"teacher", "uncond"})])
def test_a_part_without_weight_costs_nothing_and_leaves_the_other_as_it_was(x0, left, asked):
    calls = {"teacher": [], "uncond": [], "fake": []}
    networks = {"teacher": TEACHER, "uncond": UNCONDITIONAL, "fake": FAKE}
    found = matched(x0, **{name: recorded(networks[name], calls[name]) for name in calls}, **{left: 0.0})
    whole = matched(x0)
    assert {name for name, made in calls.items() if made} == asked and len(calls["teacher"]) == 1
    kept, gone = ("dm", "ca") if left == "ca_weight" else ("ca", "dm")
    assert torch.equal(getattr(found, f"{kept}_normalized"), getattr(whole, f"{kept}_normalized"))
    assert getattr(found, f"{gone}_normalized").count_nonzero() == 0


def test_weights_scale_their_parts(x0):
    found, whole = matched(x0, ca_weight=0.5, dm_weight=2.0), matched(x0)
    torch.testing.assert_close(found.target - x0, 0.5 * whole.ca_normalized + 2 * whole.dm_normalized)


def test_the_losses_gradient_is_the_step_to_the_target_and_passes_nowhere_else(x0):
    guess = x0.clone().requires_grad_()
    found = matched(guess)
    regression_losses(guess, found.target).sum().backward()
    torch.testing.assert_close(guess.grad, (x0 - found.target) / x0[0].numel())
    assert not found.target.requires_grad


def test_bfloat16_predictions_are_compared_in_float32(x0):
    def halved(network):
        return lambda x, s: network(x, s).to(torch.bfloat16)

    found = matched(x0.to(torch.bfloat16), teacher=halved(TEACHER), uncond=halved(UNCONDITIONAL), fake=halved(FAKE))
    assert {found.ca.dtype, found.dm.dtype, found.target.dtype} == {torch.float32}
    torch.testing.assert_close(found.ca, matched(x0.to(torch.bfloat16).float()).ca, rtol=0, atol=0.05)


def trained_means(cfg, **options):
    """Of a student that makes N(mean, 1/4), as is known to the fake score, from a teacher of N(2, 1/4)."""
    generator, mean, found = torch.Generator().manual_seed(0), torch.tensor(0.0), []
    for _ in range(120):
        x0 = mean + 0.5 * torch.randn(256, 1, generator=generator)
        networks = gaussian(2.0, 0.5), gaussian(0.0, 0.5), gaussian(float(mean), 0.5)
        update = decoupled_dmd(
            x0, *networks, sigma_k=torch.ones(256), cfg=cfg, generator=generator, options=DecoupledDmd(**options)
        )
        mean = mean + 0.3 * (update.target - update.x0).mean()
        found.append(mean)
    return [part.mean().item() for part in torch.stack(found)[-80:].chunk(2)]


def test_matching_ends_at_the_teacher_and_holds_guidance_which_alone_has_no_end():
    assert trained_means(cfg=1.0) == pytest.approx([2.0, 2.0], abs=0.05)
    held, later = trained_means(cfg=3.0)
    assert held == pytest.approx(later, abs=0.1) and 3 < held < 8
    burning, later = trained_means(cfg=3.0, dm_weight=0.0)
    assert later > burning + 1 > held


def test_the_same_generator_gives_the_same_update(x0):
    again = partial(matched, x0)
    assert torch.equal(again(seed=3).target, again(seed=3).target)
    assert not torch.equal(again(seed=3).target, again(seed=4).target)
    assert replace(DecoupledDmd(), levels="full") != DecoupledDmd()
