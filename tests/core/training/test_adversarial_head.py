"""DMD2's adversarial head: its gradients in closed form, whom they reach, and what changes without it: nothing."""

from dataclasses import replace

import pytest
import torch
from safetensors import safe_open

import tiny
from zimage_core.training.distillation.adversary import AdversarialHead, Reals, value_and_gradient
from zimage_core.training.distillation.distill import distill
from zimage_core.training.distillation.update import Distillation, Networks, TwoRates, clean, distillation_step
from zimage_core.training.encoded_example import EncodedExample, EncodedPicture
from zimage_core.training.objectives.adversarial import losses_if_made, losses_if_real, with_gradient
from zimage_core.training.trainables import LoraTrainable, Roles

PLAIN = Distillation(cells=(4, 4), method="dmd2", nfe=2, batch=2, grid="fixed", renoised=0.5, fake_updates=1)
STEP_OF = replace(PLAIN, adversarial_weight=0.3)
RECIPE = TwoRates(steps=4, lr=1e-2, fake_lr=2e-2, turn=2, warmup_steps=1, save_every=2)
NO_CAPTION = torch.ones(3, 48)


def roles_on(dit, *, has_head=True):
    generator = torch.Generator().manual_seed(2)
    adapters = {role: LoraTrainable(dit, rank=2, alpha=2.0, generator=generator) for role in ("student", "fake")}
    roles = Roles(AdversarialHead(dit.config.dim, generator) if has_head else None, **adapters)
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in roles.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.05)
    return roles


@pytest.fixture
def captions(generator):
    return [torch.randn(n, 48, generator=generator) for n in (5, 9, 33)]


@pytest.fixture
def reals(generator):
    pictures = [torch.randn(16, 4, 4, generator=generator) for _ in range(4)]
    examples = [
        EncodedExample(EncodedPicture(each, each - 9), (torch.randn(n, 48, generator=generator),))
        for each, n in zip(pictures, (4, 7, 33, 40), strict=True)
    ]
    return Reals(examples=examples, hash="")


def losses(dit, roles, captions, step_of, step, reals):
    generator = torch.Generator().manual_seed(1)
    return distillation_step(dit, roles, captions, NO_CAPTION, step_of, 0, step, generator, reals=reals)


def test_gradients_of_a_linear_head_are_the_closed_form(generator):
    """Of softplus(∓z), z = w·f + b: ∓(1 - p) and p times the features, p the probability of the other answer."""
    f, w = torch.randn(5, 7, generator=generator), torch.randn(7, generator=generator).requires_grad_()
    p = torch.sigmoid(f @ w).detach()
    for losses_of, slope in ((losses_if_real, p - 1), (losses_if_made, p)):
        (found,) = torch.autograd.grad(losses_of(f @ w).sum(), w)
        torch.testing.assert_close(found, slope @ f)
    x0 = f.clone().requires_grad_()
    told = with_gradient(*value_and_gradient(lambda made: losses_if_real(made @ w), x0), x0)
    torch.testing.assert_close(told, -torch.log(p))
    (found,) = torch.autograd.grad(told.sum(), x0)
    torch.testing.assert_close(found, (p - 1)[:, None] * w.detach())
    assert w.grad is None


def test_the_student_gets_the_gradient_of_the_whole_graph(captions):
    dit = tiny.dit()
    roles = roles_on(dit)
    student = [*roles.adapter("student").parameters()]
    x, sigma = torch.randn(1, 16, 4, 4, generator=torch.Generator().manual_seed(5)), torch.tensor([0.8])
    found = []
    with roles.attached():
        networks = Networks(dit, roles, captions[:1], NO_CAPTION, (4, 4), saves_memory=False)

        def logits(made):
            return networks.logits(made, torch.Generator().manual_seed(3))

        for is_split in (False, True):
            x0 = clean(x, sigma, networks.velocity("student", x, sigma))
            told = losses_if_real(logits(x0))
            if is_split:
                told = with_gradient(*value_and_gradient(lambda made: losses_if_real(logits(made)), x0), x0)
            found.append(torch.autograd.grad(told.sum(), student))
    assert any(each.count_nonzero() for each in found[0])
    torch.testing.assert_close(found[1], found[0])


def test_each_step_reaches_its_own_role_and_only_the_fake_scores_the_head(captions, reals):
    dit, found = tiny.dit(), []
    base = {name: tensor.clone() for name, tensor in dit.state_dict().items()}
    for saves_memory in (False, True):
        roles = roles_on(dit)
        with roles.attached():
            for step in range(STEP_OF.turn):
                roles.zero_grad(set_to_none=True)
                for loss in losses(dit, roles, captions, replace(STEP_OF, saves_memory=saves_memory), step, reals):
                    loss.backward()
                learning = {name.split(".branches")[0].split(".norm")[0] for name, each in roles.named_parameters()
                            if each.grad is not None and each.grad.count_nonzero()}  # fmt: skip
                if step == 0:
                    assert "adapters.fake" in learning and any(name.startswith("head") for name in learning)
                    assert not any("student" in name for name in learning)
                else:
                    assert learning == {"adapters.student"}
                    assert all(each.grad is None for each in roles.head.parameters())
                found.append([each.grad for each in roles.parameters() if each.grad is not None])
    for plain, again in zip(found[:2], found[2:], strict=True):
        torch.testing.assert_close(again, plain, atol=1e-6, rtol=1e-5)
    assert all(torch.equal(tensor, base[name]) for name, tensor in dit.state_dict().items())


def test_a_head_of_weight_0_changes_no_bit_and_one_that_knows_nothing_no_gradient(captions, reals):
    dit = tiny.dit()

    def gradients(roles, step_of, step):
        with roles.attached():
            for loss in losses(dit, roles, captions[:2], replace(step_of, batch=2), step, reals):  # one group
                loss.backward()
        return {name: each.grad for name, each in roles.named_parameters() if each.grad is not None}

    blank = roles_on(dit)
    blank.head = AdversarialHead(dit.config.dim, torch.Generator())
    for step in range(PLAIN.turn):
        plain = gradients(roles_on(dit, has_head=False), PLAIN, step)
        unasked = gradients(roles_on(dit), PLAIN, step)
        assert plain.keys() == unasked.keys() and all(torch.equal(plain[name], unasked[name]) for name in plain)
    ignorant = gradients(blank, STEP_OF, 1)
    torch.testing.assert_close(ignorant, plain, atol=1e-8, rtol=1e-6)


def test_a_run_with_a_head_goes_on_to_the_same_bits(tmp_path, captions, reals):
    def run(folder, stop=None):
        dit, found = tiny.dit(), []
        roles = roles_on(dit)
        for progress in distill(dit, roles, captions[:1], NO_CAPTION, STEP_OF, RECIPE, folder, reals=reals):
            found.append(progress.loss)
            if progress.step + 1 == stop:
                break
        return found, roles

    whole, expected = run(tmp_path / "whole")
    first, _ = run(tmp_path / "parts", stop=3)
    rest, roles = run(tmp_path / "parts")
    assert first + rest == whole and len(whole) == 4
    assert all(torch.equal(*pair) for pair in zip(roles.parameters(), expected.parameters(), strict=True))
    with safe_open(tmp_path / "whole" / "state.safetensors", "pt") as saved:
        heads = [name for name in saved.keys() if ".head." in name]  # noqa: SIM118
    assert {name.split(".")[0] for name in heads} == {"module", "ema", "optimizer"}
    assert not any("head" in target.parameter for target in roles.adapter("student").lora("x").deltas)


def test_only_dmd2_has_a_head():
    with pytest.raises(ValueError, match="choose that method in place of decoupled-dmd, or 0"):
        replace(STEP_OF, method="decoupled-dmd")
