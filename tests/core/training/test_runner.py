"""The runner resumes exactly, the objective has the paper's distribution and target, batches keep to their budget."""

import errno
import math
import os
import tracemalloc
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from torch import nn

from memory import LiveBytesMode
from zimage_core.training import (
    Ema,
    Recipe,
    batch_size_within,
    flow_matching_loss,
    init_weights,
    logit_normal_sigmas,
    token_count,
    train,
)
from zimage_core.training.loop.curve import Curve
from zimage_core.training.loop.runner import Progress
from zimage_core.training.loop.state import save_state, saved_step
from zimage_core.training.watch import Validations


def quadratic(module):
    """A loss with noise of its own, so that resuming with other noise would show."""

    def loss_of_step(step, generator):
        yield (module.weight - torch.randn(module.weight.shape, generator=generator)).square().mean()

    return loss_of_step


def run(folder, recipe, stop_after=None, loss=quadratic):
    module = nn.Linear(4, 3)
    init_weights(module, torch.Generator().manual_seed(1))
    ema, losses = Ema(module, recipe.ema_decay), []
    for progress in train(module, loss(module), recipe, ema, folder):
        losses.append(progress.loss)
        if progress.step + 1 == stop_after:
            break
    return module, ema, losses


RECIPE = Recipe(steps=12, lr=0.05, warmup_steps=3, save_every=4, seed=5)


@pytest.mark.parametrize("optimizer", ["adamw", "adafactor"])
@pytest.mark.parametrize("stop", [3, 8])  # between two states, and at one
def test_a_run_that_was_stopped_and_resumed_equals_one_that_never_stopped(tmp_path, stop, optimizer):
    recipe = replace(RECIPE, optimizer=optimizer)
    whole, whole_ema, losses = run(tmp_path / "whole", recipe)
    _, _, first = run(tmp_path / "parts", recipe, stop_after=stop)
    parts, parts_ema, second = run(tmp_path / "parts", recipe)
    assert first + second == losses
    assert torch.equal(parts.weight, whole.weight)
    assert torch.equal(parts_ema.average["weight"], whole_ema.average["weight"])


def test_a_finished_run_is_only_loaded(tmp_path):
    whole, _, _ = run(tmp_path, RECIPE)
    again, _, losses = run(tmp_path, RECIPE)
    assert losses == []
    assert torch.equal(again.weight, whole.weight)


def test_the_folder_of_another_recipe_is_refused(tmp_path):
    run(tmp_path, RECIPE, stop_after=4)
    with pytest.raises(ValueError, match="another recipe"):
        run(tmp_path, Recipe(steps=13, lr=0.05))


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_last_state(tmp_path):
    def broken(module):
        steps = quadratic(module)
        return lambda step, generator: (loss * (math.nan if step == 9 else 1) for loss in steps(step, generator))

    with pytest.raises(ValueError, match=r"step 10: the loss is nan.*lower learning rate"):
        run(tmp_path, RECIPE, loss=broken)
    _, _, losses = run(tmp_path, RECIPE)
    assert len(losses) == 4  # from the state of step 8


def test_only_the_newest_states_are_kept_and_one_can_go_back(tmp_path):
    module, more = nn.Linear(4, 3), {"keep": 2}
    init_weights(module, torch.Generator().manual_seed(1))
    ema = Ema(module, RECIPE.ema_decay)
    losses = [each.loss for each in train(module, quadratic(module), RECIPE, ema, tmp_path, **more)]
    states = sorted(file.name for file in tmp_path.iterdir())
    assert states == ["state-000008.safetensors", "state-000012.safetensors", "state.safetensors"]
    (tmp_path / "state-000008.safetensors").replace(tmp_path / "state.safetensors")
    assert saved_step(tmp_path) == 8
    _, _, again = run(tmp_path, RECIPE)
    assert again == losses[8:]
    assert [file.name for file in tmp_path.iterdir()] == ["state.safetensors"]


def test_a_full_disk_keeps_the_last_state(tmp_path, monkeypatch):
    def full(descriptor):
        if saved_step(tmp_path):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "state.safetensors")

    monkeypatch.setattr("zimage_core.atomic_file.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        run(tmp_path, RECIPE)
    assert [file.name for file in tmp_path.iterdir()] == ["state.safetensors"] and saved_step(tmp_path) == 4
    monkeypatch.undo()
    _, _, losses = run(tmp_path, RECIPE)
    assert losses == run(tmp_path / "whole", RECIPE)[2][4:]


def test_a_run_that_is_enough_ends_and_is_saved(tmp_path):
    module = nn.Linear(4, 3)
    steps = train(module, quadratic(module), RECIPE, Ema(module, 0.9), tmp_path, is_enough=lambda done: done == 6)
    assert len(list(steps)) == 6 and saved_step(tmp_path) == 6


def test_bfloat16_products_leave_parameters_their_average_and_moments_in_float32(tmp_path):
    seen = []

    def product(module):
        def loss_of_step(step, generator):
            out = module(torch.randn(5, 4, generator=generator))
            seen.append(out.dtype)
            yield out.float().square().mean()

        return loss_of_step

    module, ema, _ = run(tmp_path / "16", replace(RECIPE, autocast=True), loss=product)
    plain, _, _ = run(tmp_path / "32", RECIPE, loss=product)
    assert set(seen) == {torch.bfloat16, torch.float32}
    with safe_open(tmp_path / "16" / "state.safetensors", "pt") as state:
        assert {state.get_tensor(name).dtype for name in state.keys()} == {torch.float32}  # noqa: SIM118
    assert not torch.equal(module.weight, plain.weight)
    torch.testing.assert_close(module.weight, plain.weight, atol=0.02, rtol=0)


def test_held_out_losses_that_no_longer_fall_end_a_run_also_when_it_is_resumed(tmp_path):
    found = Validations(tmp_path, patience=2)
    for loss, is_stalled in ((3.0, False), (2.0, False), (2.5, False), (2.1, True)):
        found.add(loss)
        assert found.have_stalled() is is_stalled
    found.add(1.0)
    assert not found.have_stalled() and not Validations(tmp_path, patience=None).have_stalled()
    module = nn.Linear(4, 3)
    losses = (3.0, 2.0, 4.0, 5.0, 1.0)
    rows = [Progress(step=n, steps=9, loss=1.0, grad_norm=1.0, lr=1.0, validation=v) for n, v in enumerate(losses)]
    curve = Curve(tmp_path, 0)
    for row in rows:
        curve.add(row)
    save_state(tmp_path, 4, module, torch.optim.AdamW(module.parameters()), Ema(module, 0.9), {})
    assert Validations(tmp_path, patience=2).have_stalled()  # the row of step 4 is ahead of the state


def test_losses_in_parts_add_up_to_the_whole_gradient(tmp_path):
    def in_parts(module):
        def loss_of_step(step, generator):
            noise = torch.randn(module.weight.shape, generator=generator)
            for row in range(3):
                yield (module.weight[row] - noise[row]).square().sum() / noise.numel()

        return loss_of_step

    whole, _, losses = run(tmp_path / "whole", RECIPE)
    parts, _, found = run(tmp_path / "parts", RECIPE, loss=in_parts)
    torch.testing.assert_close(parts.weight, whole.weight)
    assert found == pytest.approx(losses)


def test_an_optimizer_of_a_package_that_is_missing_is_named(tmp_path):
    with pytest.raises(ValueError, match="pip install prodigyopt"):
        run(tmp_path, replace(RECIPE, optimizer="prodigy"))


def test_the_learning_rate_rises_stays_and_falls_to_nothing():
    recipe = Recipe(steps=100, lr=2.0, warmup_steps=10, decay_part=0.2)
    assert [recipe.lr_at(step) for step in (0, 4, 9, 50, 80, 90, 99)] == pytest.approx(
        [0.2, 1.0, 2.0, 2.0, 2.0, 1.0, 0.1]
    )


def test_the_average_steps_aside_and_back_bit_for_bit():
    module = nn.Linear(3, 3)
    ema = Ema(module, 0.5)
    own = module.weight.detach().clone()
    with torch.no_grad():
        module.weight += 1
    ema.update(100)
    with ema.applied():
        torch.testing.assert_close(module.weight, own + 0.5)
    assert torch.equal(module.weight, own + 1)


def test_noise_levels_follow_the_shifted_logit_normal(generator):
    """Undo shift and sigmoid: what remains must be the normal asked for."""
    sigma = logit_normal_sigmas(20000, generator, shift=3.0, mean=0.4, std=1.3).double()
    assert sigma.min() > 0 and sigma.max() < 1
    unshifted = sigma / (3 - 2 * sigma)
    normal = torch.logit(unshifted)
    assert normal.mean().item() == pytest.approx(0.4, abs=4 * 1.3 / math.sqrt(20000))
    assert normal.std().item() == pytest.approx(1.3, abs=0.03)


def test_the_target_is_noise_minus_picture_along_the_straight_path(generator):
    picture, noise = torch.randn(2, 3, 16, 4, 4, generator=generator)
    sigma = torch.tensor([0.0, 0.3, 1.0])

    def exact(noisy, level):
        torch.testing.assert_close(noisy[0], picture[0])
        torch.testing.assert_close(noisy[2], noise[2])
        torch.testing.assert_close(level, sigma)
        return noise - picture

    assert flow_matching_loss(exact, picture, noise, sigma) == 0
    assert flow_matching_loss(lambda x, s: noise - picture + 2, picture, noise, sigma).item() == pytest.approx(4)


def test_tokens_are_counted_as_the_transformer_pads_them():
    assert token_count((128, 128), 77) == 4096 + 96
    assert token_count((90, 160), 1) == 3616 + 32


@pytest.mark.parametrize(("budget", "n"), [(1, 1), (64, 1), (127, 1), (128, 2), (1000, 4)])
def test_a_batch_stays_within_its_token_budget(budget, n):
    assert batch_size_within([64, 64, 96, 64], budget) == n


def test_modulated_blocks_start_as_the_identity(generator):
    import tiny
    from zimage_core.model import S3DiT

    model = S3DiT(tiny.DIT)
    init_weights(model, generator)
    x = torch.randn(1, 5, 64, generator=generator)
    scales = model.modulation(torch.tensor([0.5]), torch.float32).layers[0]
    from zimage_core.model.rope import rope_table

    rope = rope_table(torch.zeros(5, 3), tiny.DIT.axes_dims, 256.0)
    assert torch.equal(model.layers[0](x, rope, scales), x)
    assert model(torch.ones(1, 16, 4, 4), torch.ones(1), [torch.ones(3, 48)]).count_nonzero() == 0


def test_a_state_is_saved_without_a_second_copy_of_it(tmp_path):
    """32 MB in eight layers: bytes are counted by tracemalloc, tensors by their storages, which all exist before."""
    module = nn.ModuleList(nn.Linear(512, 512, bias=False) for _ in range(8))
    optimizer, ema = torch.optim.AdamW(module.parameters(), fused=True), Ema(module, 0.9)
    sum(layer(torch.ones(1, 512)).sum() for layer in module).backward()
    optimizer.step()
    with LiveBytesMode():  # what is imported for it is no part of the count
        save_state(tmp_path, 0, module, optimizer, ema, {})
    tracemalloc.start()
    with LiveBytesMode() as mode:
        save_state(tmp_path, 1, module, optimizer, ema, {})
    _, python_peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    saved = (tmp_path / "state.safetensors").stat().st_size
    assert saved > 4 * 8 * 512**2 * 4 and python_peak < saved / 30
    assert mode.peak <= saved  # the storages that were there
