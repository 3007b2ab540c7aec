"""A student that is distilled and rewarded at once: when, by which method, who learns, and what a stop changes."""

import pytest
import torch
from PIL import Image

import tiny
from zimage_core.scoring.score import Measurement
from zimage_core.training.distillation.distill import distill
from zimage_core.training.distillation.students_reward import StudentsReward
from zimage_core.training.distillation.update import (
    FAKE,
    STUDENT,
    Distillation,
    Networks,
    TwoRates,
    distillation_step,
)
from zimage_core.training.objectives.dmdr import Dmdr
from zimage_core.training.rewards.reward import Reward, request_of
from zimage_core.training.trainables import LoraTrainable, Roles

NO_CAPTION = torch.ones(3, 48)
RECIPE = TwoRates(steps=6, lr=1e-2, fake_lr=2e-2, turn=2, warmup_steps=1, save_every=2)


class Bright:
    name, reader, higher_is_better = "brightness", "mean level", True

    def __call__(self, pictures, requests):
        return [Measurement(value=sum(each.tobytes()) / 255) for each in pictures]


def decode(latent):
    levels = (latent[0, :3].clamp(-2, 2) / 4 + 0.5) * 255
    return Image.fromarray(levels.permute(1, 2, 0).round().to(torch.uint8).numpy(), "RGB")


def step_of(through="grpo", **dmdr):
    given = Dmdr(**{"cold_start": 1, "dynamic": 2, "group": 3, "through": through} | dmdr)
    return Distillation(cells=(4, 4), method="dmdr", dmdr=given, nfe=2, batch=2, fake_updates=1)


def run_of(made):
    dit, generator = tiny.dit(), torch.Generator().manual_seed(2)
    roles = Roles(**{role: LoraTrainable(dit, rank=2, alpha=2.0, generator=generator) for role in (STUDENT, FAKE)})
    with torch.no_grad():
        for parameter in roles.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.05)
    captions = [torch.randn(n, 48, generator=generator) for n in (5, 9, 33)]
    reward = Reward(scores=(Bright(),), weights=(1.0,))
    requests = [request_of(f"prompt {number}") for number in range(3)]
    return dit, roles, captions, StudentsReward(dit, roles, captions, NO_CAPTION, requests, reward, decode, made)


def losses(run, made, step, *, is_rewarded=True):
    dit, roles, captions, rewarded = run
    generator = torch.Generator().manual_seed(3)
    return distillation_step(
        dit, roles, captions, NO_CAPTION, made, 0, step, generator, rewarded if is_rewarded else None
    )


@pytest.mark.parametrize("through", ["grpo", "nft", "dpo"])
def test_rewards_come_after_the_cold_start_and_teach_the_student_alone(through):
    made = step_of(through)
    run = run_of(made)
    dit, roles, _, rewarded = run
    base = {name: tensor.clone() for name, tensor in dit.state_dict().items()}
    with roles.attached():
        for step in range(4):
            gradients = []
            for is_rewarded in (False, True):
                roles.zero_grad(set_to_none=True)
                for loss in losses(run, made, step, is_rewarded=is_rewarded):
                    loss.backward()
                learning = [
                    name
                    for name in roles.adapters
                    for each in roles.adapters[name].parameters()
                    if each.grad is not None
                ]
                assert set(learning) == {FAKE if step % 2 == 0 else STUDENT}
                gradients.append(
                    torch.cat([each.grad.flatten() for each in roles.parameters() if each.grad is not None])
                )
            assert torch.equal(*gradients) == (step < 3)
    assert all(torch.equal(tensor, base[name]) for name, tensor in dit.state_dict().items())
    assert set(rewarded.told.means(["brightness"])) == {"brightness"}


def test_the_teacher_computes_with_a_share_of_the_fake_score_which_ends(generator):
    made = step_of()
    dit, roles, captions, _ = run_of(made)
    x, sigma = torch.randn(1, 16, 4, 4, generator=generator), torch.tensor([0.6])
    with roles.attached(), torch.no_grad():
        networks = Networks(dit, roles, captions[:1], NO_CAPTION, made.cells, saves_memory=made.saves_memory)
        plain, fake = networks.teacher(x, sigma), networks.fake(x, sigma)
        networks.shared = made.dmdr.shared_at(0)
        shared = networks.teacher(x, sigma)
        networks.shared = made.dmdr.shared_at(2)
        assert torch.equal(networks.teacher(x, sigma), plain)
        assert torch.equal(networks.fake(x, sigma), fake)
    scaled = roles.adapter(FAKE)
    with torch.no_grad():
        for branch in scaled.branches:
            branch.up.mul_(0.375)
        with scaled.attached():
            expected = x - 0.6 * dit.flow(dit.prepare(captions[:1], (4, 4)))(x, sigma)
    torch.testing.assert_close(shared, expected)
    assert not torch.allclose(shared, plain)


@pytest.mark.slow
def test_a_run_that_is_stopped_anywhere_goes_on_to_the_same_bits(tmp_path):
    def run(folder, stop=None):
        made, found = step_of(cold_start=0), []
        dit, roles, captions, rewarded = run_of(made)
        for progress in distill(dit, roles, captions, NO_CAPTION, made, RECIPE, folder, rewarded=rewarded):
            found.append((progress.loss, dict(progress.rewards)))
            if progress.step + 1 == stop:
                break
        return found, roles

    whole, expected = run(tmp_path / "whole")
    first, _ = run(tmp_path / "parts", stop=3)
    rest, roles = run(tmp_path / "parts")
    assert first + rest == whole and [set(each) for _, each in whole] == [set(), {"brightness"}] * 3
    for found, wanted in zip(roles.parameters(), expected.parameters(), strict=True):
        assert torch.equal(found, wanted)


def test_rewards_need_their_method_and_a_student_of_one_step_another_way():
    with pytest.raises(ValueError, match="only dmdr has rewards"):
        Distillation(cells=(4, 4), method="dmdr")
    with pytest.raises(ValueError, match="only dmdr has rewards"):
        Distillation(cells=(4, 4), dmdr=Dmdr(cold_start=0, dynamic=0))
