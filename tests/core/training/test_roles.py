"""Two adapters on one base: each learns alone, and the base is neither copied nor changed."""

import pytest
import torch

import tiny
from zimage_core.quant import INT8, quantize_layers
from zimage_core.training.trainables import LoraTrainable, Roles

ROLES = ("student", "fake")


def roles_on(dit):
    generator = torch.Generator().manual_seed(2)
    adapters = {role: LoraTrainable(dit, rank=2, alpha=2.0, generator=generator) for role in ROLES}
    with torch.no_grad():
        for adapter in adapters.values():
            for parameter in adapter.parameters():
                parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
    return Roles(**adapters)


def velocity(dit):
    generator = torch.Generator().manual_seed(3)
    x, caption = torch.randn(1, 16, 4, 4, generator=generator), torch.randn(5, 48, generator=generator)
    return dit(x, torch.tensor([0.6]), [caption])


def copies(module):
    return {name: parameter.detach().clone() for name, parameter in module.named_parameters()}


def is_same(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


@pytest.mark.parametrize("is_quantized", [False, True])
def test_a_role_computes_as_its_adapter_alone_and_no_role_as_the_base(is_quantized):
    dit = tiny.dit()
    if is_quantized:
        quantize_layers(dit, INT8)
    roles, base = roles_on(dit), velocity(dit)
    expected = {}
    for role in ROLES:
        with roles.adapters[role].attached():
            expected[role] = velocity(dit)
    assert not torch.equal(expected["student"], expected["fake"])
    with roles.attached():
        for role in ("student", None, "fake", "student", "student", None, "fake"):
            roles.set_role(role)
            assert torch.equal(velocity(dit), expected[role] if role else base)
    assert torch.equal(velocity(dit), base) and roles.role is None
    assert not any("forward" in vars(module) for module in dit.modules())


def test_what_one_role_learns_leaves_the_others_tensors_and_the_base_as_they_were():
    dit = tiny.dit()
    roles = roles_on(dit)
    optimizer = torch.optim.AdamW(roles.parameters(), lr=0.1, weight_decay=0.5, fused=True)
    base = {name: tensor.clone() for name, tensor in dit.state_dict().items()}

    def learn(role):
        roles.set_role(role)
        optimizer.zero_grad(set_to_none=True)
        velocity(dit).square().mean().backward()
        optimizer.step()

    def states(role):
        return {
            (name, key): torch.as_tensor(value).clone()
            for name, parameter in roles.adapters[role].named_parameters()
            for key, value in optimizer.state.get(parameter, {}).items()
        }

    with roles.attached():
        for role, other in (ROLES, ROLES[::-1], ROLES, ROLES):
            own, others = copies(roles.adapters[role]), copies(roles.adapters[other])
            moments = states(other)
            learn(role)
            assert all(parameter.grad is None for parameter in roles.adapters[other].parameters())
            assert is_same(copies(roles.adapters[other]), others) and is_same(states(other), moments)
            assert not is_same(copies(roles.adapters[role]), own)
    assert is_same(dict(dit.state_dict()), base) and all(each.grad is None for each in dit.parameters())
    steps = {role: {value.item() for (_, key), value in states(role).items() if key == "step"} for role in ROLES}
    assert steps == {"student": {3.0}, "fake": {1.0}}


def test_the_base_is_in_memory_once():
    dit = tiny.dit()
    roles = roles_on(dit)
    own, base = ({each.data_ptr() for each in module.parameters()} for module in (roles, dit))
    assert not own & base and len(own) == sum(1 for _ in roles.parameters())


def test_a_role_that_is_not_there_is_refused_and_the_present_one_stays():
    dit = tiny.dit()
    roles = roles_on(dit)
    with roles.attached():
        roles.set_role("fake")
        expected = velocity(dit)
        with pytest.raises(ValueError, match="no role critic: choose student, fake"):
            roles.set_role("critic")
        assert roles.role == "fake" and torch.equal(velocity(dit), expected)
