"""A student's updates: who is asked how often, what stays in memory, what a stop changes, and that it learns."""

from dataclasses import replace

import pytest
import torch

import tiny
from zimage_core.sampling import denoise, shifted_schedule
from zimage_core.training.distillation.distill import distill
from zimage_core.training.distillation.rollouts import Grid, dynamic_grid, fixed_grid, rollout
from zimage_core.training.distillation.update import Distillation, StudentsEma, TwoRates, distillation_step
from zimage_core.training.objectives import DecoupledDmd
from zimage_core.training.trainables import LoraTrainable, Roles

STEP_OF = Distillation(cells=(4, 4), nfe=2, batch=2, grid="fixed", renoised=0.0, fake_updates=1)
RECIPE = TwoRates(steps=6, lr=1e-2, fake_lr=2e-2, turn=2, warmup_steps=1, save_every=2)


def roles_on(dit):
    generator = torch.Generator().manual_seed(2)
    return Roles(**{role: LoraTrainable(dit, rank=2, alpha=2.0, generator=generator) for role in ("student", "fake")})


@pytest.fixture
def captions(generator):
    return [torch.randn(n, 48, generator=generator) for n in (5, 9, 33)]


NO_CAPTION = torch.ones(3, 48)


def counted(dit):
    """How many items each call of the network has, and whether it keeps gradients."""
    calls, network = [], dit.network

    def counting(x, *rest, **more):
        calls.append((len(x), torch.is_grad_enabled()))
        return network(x, *rest, **more)

    dit.network = counting
    return calls


def losses(dit, roles, captions, step_of, step, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return distillation_step(dit, roles, captions, NO_CAPTION, step_of, 0, step, generator)


@pytest.mark.parametrize(
    ("changes", "of_student"),
    [
        ({}, 4),  # the teacher with and without a prompt at CA's level, teacher and fake score at DM's
        ({"method": "dmd2"}, 3),
        ({"dmd": DecoupledDmd(levels="shared")}, 3),
        ({"dmd": DecoupledDmd(ca_weight=0.0)}, 2),
        ({"dmd": DecoupledDmd(dm_weight=0.0), "fake_updates": 0}, 2),
    ],
)
def test_the_cost_of_one_update_of_the_student_in_network_calls(captions, changes, of_student):
    """Per prompt, at one step: a call with gradients each turn; four or fewer without; one more for the fake score."""
    dit = tiny.dit()
    roles, calls = roles_on(dit), counted(dit)
    step_of = replace(STEP_OF, nfe=1, saves_memory=False, **({"fake_updates": 5} | changes))
    with roles.attached():
        for step in range(step_of.turn):
            for loss in losses(dit, roles, captions[:2], step_of, step):
                loss.backward()
    kept, free = (sum(n for n, has_gradients in calls if has_gradients is each) for each in (True, False))
    assert kept == step_of.batch * step_of.turn
    assert free == step_of.batch * (of_student + step_of.fake_updates)


def test_a_rollout_calls_the_network_once_for_each_level_above_the_one_fed(captions):
    """With 4 levels 0 to 3 of them: 1.5 a prompt on average."""
    dit = tiny.dit()
    roles, calls = roles_on(dit), counted(dit)
    step_of = replace(STEP_OF, nfe=4, batch=400, token_budget=10**6, saves_memory=False)
    with roles.attached(), torch.no_grad():
        list(losses(dit, roles, captions[:1], step_of, step=0))
    *before, fed, _ = [n for n, _ in calls]
    assert fed == 400 and sum(before) / 400 == pytest.approx(1.5, abs=0.15) and len(before) == 3


def test_what_a_run_holds_is_one_base_and_of_each_adapter_weight_average_and_two_moments(tmp_path, captions):
    dit = tiny.dit()
    roles = roles_on(dit)
    base = sum(each.nbytes for each in dit.parameters())
    adapters = sum(each.nbytes for each in roles.parameters())
    ema = StudentsEma(roles, 0.9, RECIPE.turn)
    optimizer = torch.optim.AdamW(roles.parameters(), lr=1e-3, fused=True)
    with roles.attached():
        for step in range(STEP_OF.turn):
            optimizer.zero_grad(set_to_none=True)
            for loss in losses(dit, roles, captions, STEP_OF, step):
                loss.backward()
            optimizer.step()
    moments = [value for state in optimizer.state.values() for key, value in state.items() if key != "step"]
    held = [*dit.parameters(), *roles.parameters(), *ema.average.values(), *moments]
    storages = {each.untyped_storage().data_ptr(): each.untyped_storage().nbytes() for each in held}
    assert sum(storages.values()) == base + 4 * adapters


def test_each_step_trains_its_role_alone(captions):
    dit = tiny.dit()
    roles = roles_on(dit)
    base = {name: tensor.clone() for name, tensor in dit.state_dict().items()}
    with roles.attached():
        for step in range(STEP_OF.turn):
            roles.zero_grad(set_to_none=True)
            for loss in losses(dit, roles, captions, STEP_OF, step):
                loss.backward()
            learning = {
                name for name in roles.adapters for each in roles.adapters[name].parameters() if each.grad is not None
            }
            assert learning == ({"student"} if step == 1 else {"fake"})
    assert all(torch.equal(tensor, base[name]) for name, tensor in dit.state_dict().items())


def test_recomputed_blocks_and_small_batches_have_the_gradients_of_the_whole(captions):
    """Blocks are computed again in the role in which the loss was made, though others were asked in between."""
    dit = tiny.dit()
    roles = roles_on(dit)
    with torch.no_grad():
        for parameter in roles.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)), alpha=0.05)
    for step in (0, 1):
        found = []
        for saves_memory in (False, True):
            roles.zero_grad()
            with roles.attached():
                for loss in losses(dit, roles, captions, replace(STEP_OF, saves_memory=saves_memory), step):
                    loss.backward()
            found.append([each.grad.clone() for each in roles.parameters() if each.grad is not None])
        assert any(each.count_nonzero() for each in found[0])
        for plain, again in zip(*found, strict=True):
            torch.testing.assert_close(again, plain, atol=1e-6, rtol=1e-5)


def test_grids_fall_from_noise_and_feed_every_level(generator):
    fixed = fixed_grid(500, 4, 3.0, generator)
    assert torch.equal(fixed.levels[7], shifted_schedule(4, 3.0)[:4]) and set(fixed.place.tolist()) == {0, 1, 2, 3}
    grid = dynamic_grid(4000, 4, 3.0, generator)
    assert (grid.levels[:, 0] == 1).all() and (grid.levels.diff(dim=1) <= 0).all() and (grid.sigma > 0).all()
    lengths = (grid.levels > 0).sum(1)
    counts = torch.bincount(lengths, minlength=5)[1:] / 4000
    torch.testing.assert_close(counts, torch.full((4,), 0.25), atol=0.03, rtol=0)
    assert (grid.place < lengths).all()


def test_a_rollout_by_euler_is_that_of_the_sampler_and_by_noising_has_the_levels_own_noise(generator):
    def velocity(x, sigma):
        return torch.tanh(x) * (1 + torch.as_tensor(sigma).reshape(-1, 1, 1, 1))

    noise, levels = torch.randn(3, 2, 8, 8, generator=generator), shifted_schedule(4, 3.0)
    grid = Grid(levels[:-1].expand(3, -1), torch.tensor([0, 2, 3]))
    found = rollout(lambda x, sigma, items: velocity(x, sigma), noise, grid, torch.zeros(3) > 0, generator)
    steps = [noise, *(step.x for step in denoise(velocity, noise, levels))]
    for item, place in enumerate(grid.place.tolist()):
        torch.testing.assert_close(found[item], steps[place][item])

    def to_zero(x, sigma, items):
        return x / sigma.reshape(-1, 1, 1, 1)  # predicts 0 everywhere

    grid = Grid(torch.tensor([[1.0, 0.7, 0.4]]).expand(3, -1), torch.tensor([0, 1, 2]))
    noise = torch.randn(3, 16, 32, 32, generator=generator)
    found = rollout(to_zero, noise, grid, torch.ones(3) > 0, generator)
    assert torch.equal(found[0], noise[0])
    assert [each.std().item() for each in found[1:]] == pytest.approx([0.7, 0.4], rel=0.03)


def test_a_run_that_is_stopped_anywhere_goes_on_to_the_same_bits(tmp_path, captions):
    def run(folder, stop=None):
        dit, found = tiny.dit(), []
        roles = roles_on(dit)
        for progress in distill(dit, roles, captions, NO_CAPTION, STEP_OF, RECIPE, folder):
            found.append(progress.loss)
            if progress.step + 1 == stop:
                break
        return found, roles

    whole, expected = run(tmp_path / "whole")
    first, _ = run(tmp_path / "parts", stop=3)
    rest, roles = run(tmp_path / "parts")
    assert first + rest == whole and len(whole) == 6
    for found, wanted in zip(roles.parameters(), expected.parameters(), strict=True):
        assert torch.equal(found, wanted)


def test_the_average_moves_with_the_student_and_rates_differ():
    roles = roles_on(tiny.dit())
    ema = StudentsEma(roles, 0.5, turn=3)
    before = {name: each.clone() for name, each in ema.average.items()}
    with torch.no_grad():
        for parameter in roles.parameters():
            parameter.add_(1)
    for step in (0, 1):
        ema.update(step)
        assert all(torch.equal(each, before[name]) for name, each in ema.average.items())
    ema.update(300 + 2)
    assert all(torch.allclose(each, before[name] + 0.5) for name, each in ema.average.items())
    assert [replace(RECIPE, steps=100, turn=3).lr_at(step) for step in (3, 4, 5)] == pytest.approx([2e-2, 2e-2, 1e-2])


def test_what_is_never_compared_learns_nothing_and_what_is_compared_has_to():
    with pytest.raises(ValueError, match="0 updates"):
        replace(STEP_OF, dmd=DecoupledDmd(dm_weight=0.0))
    with pytest.raises(ValueError, match="1 or more"):
        replace(STEP_OF, fake_updates=0)
