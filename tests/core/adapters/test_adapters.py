"""LoRAs injected into a network: weights as the definition says while they are in, and no trace after ejecting."""

import pytest
import torch
from torch import nn

import loras
import tiny
from zimage_core.adapters import (
    AdapterError,
    DoRA,
    LoHa,
    LoKr,
    LowRank,
    SetWeight,
    inject,
    injected,
    is_quantized,
    tensors_of,
    with_tensors,
)
from zimage_core.checkpoints import read_lora

QKV = "layers.0.attention.qkv"
X = torch.randn(3, 64, generator=torch.Generator().manual_seed(2))
DRAWN = loras.pairs(tiny.DIT)
CHANGES = loras.expected(tiny.DIT, DRAWN)


def lora(state=None, seed=0):
    drawn = loras.pairs(tiny.DIT, seed)
    return read_lora(state or loras.keyed(drawn, lambda name: "transformer." + name, loras.A, loras.B))


def state_of(network):
    return {key: tensor.clone() for key, tensor in network.state_dict().items()}


def in_fp8(network):
    """A network whose blocks have fp8 weights, multiplied in float32, as quantized layers do."""
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Linear) and name.startswith(("layers.", "noise_", "context_")):
            eight = layer.weight.to(torch.float8_e4m3fn)
            layer.weight = nn.Parameter(eight, requires_grad=False)
            layer.forward = wide(layer)
    return network


def wide(layer):
    def forward(x):
        return nn.functional.linear(x, layer.weight.float(), layer.bias)

    return forward


def test_while_inside_the_weights_are_those_of_the_definition():
    network = tiny.dit()
    plain = state_of(network)
    with injected(network, (lora(), 0.7)):
        inside = network.state_dict()
        assert inside.keys() == plain.keys()
        for key, weight in plain.items():
            wanted = weight + 0.7 * CHANGES[key] if key in CHANGES else weight
            torch.testing.assert_close(inside[key], wanted, atol=1e-6, rtol=0)


def test_after_eject_the_network_has_its_own_tensors_again():
    network = tiny.dit()
    before = {key: (parameter, parameter.clone()) for key, parameter in network.named_parameters()}
    injection = inject(network, [(lora(), 1.0)])
    injection.eject()
    injection.eject()  # a second time does nothing
    for key, parameter in network.named_parameters():
        assert parameter is before[key][0]
        assert torch.equal(parameter, before[key][1])


def test_an_error_inside_the_block_still_takes_the_adapter_out():
    network = tiny.dit()
    before = state_of(network)
    with pytest.raises(RuntimeError, match="sampling failed"), injected(network, (lora(), 1.0)):
        raise RuntimeError("sampling failed")
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())


def test_strength_0_touches_nothing():
    network = tiny.dit()
    before = dict(network.named_parameters())
    inject(network, [(lora(), 0.0)])
    assert all(parameter is before[key] for key, parameter in network.named_parameters())


def test_adapters_add_up_together_and_one_after_the_other():
    one, two, network = lora(), lora(seed=5), tiny.dit()
    with injected(network, (one, 0.5), (two, -0.25), (one, 0.5)):
        together = state_of(network)
    others = loras.expected(tiny.DIT, loras.pairs(tiny.DIT, 5))
    for key, weight in network.state_dict().items():
        wanted = weight + CHANGES[key] - 0.25 * others[key] if key in CHANGES else weight
        torch.testing.assert_close(together[key], wanted, atol=1e-6, rtol=0)
    with injected(network, (two, -0.25)), injected(network, (one, 1.0)):
        for key, weight in network.state_dict().items():
            torch.testing.assert_close(weight, together[key], atol=1e-6, rtol=0)


def test_the_earlier_of_two_cannot_be_ejected_first_and_can_be_afterwards():
    network = tiny.dit()
    before = state_of(network)
    first, second = (inject(network, [(lora(seed=seed), 1.0)]) for seed in (0, 1))
    with pytest.raises(AdapterError, match="injected after this one; eject that one first"):
        first.eject()
    second.eject()
    first.eject()
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())


def test_16_bit_weights_are_rounded_once():
    network = tiny.dit().bfloat16()
    weight, change = network.get_parameter(f"{QKV}.weight").float(), CHANGES[f"{QKV}.weight"]
    with injected(network, (lora(), 0.3), (lora(), 0.3)):
        found = network.get_parameter(f"{QKV}.weight")
        step = torch.finfo(torch.bfloat16).eps / 2 * (weight + 0.6 * change).abs()
        assert ((found.float() - (weight + 0.6 * change)).abs() <= step + 1e-6).all()


def test_a_quantised_layer_keeps_its_weight_and_adds_the_change_to_its_output():
    network = in_fp8(tiny.dit())
    layer = network.get_submodule(QKV)
    weight, before = layer.weight, layer(X)
    bytes_before = weight.view(torch.uint8).clone()
    with injected(network, (lora(), 0.5), (lora(seed=5), 0.5)):
        assert layer.weight is weight
        other = loras.expected(tiny.DIT, loras.pairs(tiny.DIT, 5))[f"{QKV}.weight"]
        change = 0.5 * (CHANGES[f"{QKV}.weight"] + other)
        torch.testing.assert_close(layer(X), before + X @ change.T, atol=1e-5, rtol=0)
        norm = network.get_submodule("layers.0.attention_norm1").weight
        assert norm.dtype == torch.float32
    assert torch.equal(weight.view(torch.uint8), bytes_before)
    assert torch.equal(layer(X), before)


def random(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape))) * 0.3


SIDE_BRANCHES = {
    "LoHa": {
        "hada_w1_a": random(192, 4),
        "hada_w1_b": random(4, 64),
        "hada_w2_a": random(192, 3),
        "hada_w2_b": random(3, 64),
    },
    "LoKr": {"lokr_w1": random(12, 4), "lokr_w2": random(16, 16)},
    "LoKr of products": {"lokr_w1": random(12, 4), "lokr_w2_a": random(16, 2), "lokr_w2_b": random(2, 16)},
    "difference": {"diff": random(192, 64)},
}


@pytest.mark.parametrize("kind", SIDE_BRANCHES)
def test_every_kind_of_side_branch_gives_the_product_with_its_matrix(kind):
    tensors = SIDE_BRANCHES[kind]
    match kind:
        case "LoHa":
            change = (tensors["hada_w1_a"] @ tensors["hada_w1_b"]) * (tensors["hada_w2_a"] @ tensors["hada_w2_b"])
        case "LoKr":
            change = torch.kron(tensors["lokr_w1"], tensors["lokr_w2"])
        case "LoKr of products":
            change = torch.kron(tensors["lokr_w1"], tensors["lokr_w2_a"] @ tensors["lokr_w2_b"])
        case _:
            change = tensors["diff"]
    network = in_fp8(tiny.dit())
    layer = network.get_submodule(QKV)
    before = layer(X)
    state = {f"diffusion_model.{QKV}.{name}": tensor for name, tensor in tensors.items()}
    with injected(network, (lora(state), 2.0)):
        torch.testing.assert_close(layer(X), before + 2 * X @ change.T, atol=1e-5, rtol=0)


def test_norms_in_8_bits_are_changed_themselves_as_only_matrices_have_side_branches():
    network = tiny.dit()
    layer = network.get_submodule("layers.0.attention_norm1")
    layer.weight = nn.Parameter(layer.weight.to(torch.float8_e4m3fn), requires_grad=False)
    plain, change = layer.weight, random(64)
    assert not is_quantized(layer)
    with injected(network, (lora({"diffusion_model.layers.0.attention_norm1.diff": change}), 1.0)):
        wanted = plain.float() + change
        assert (layer.weight.float() - wanted).abs().max() <= wanted.abs().max() / 16  # three bits of mantissa
    assert layer.weight is plain


def test_side_branches_ejected_below_another_wrapper_do_not_pile_up():
    """As when another pack wraps a layer after us and restores it after we ejected."""
    network = in_fp8(tiny.dit())
    layer = network.get_submodule(QKV)
    before = layer(X)
    depths = []
    for _ in range(3):
        injection = inject(network, [(lora(), 1.0)])
        ours = layer.forward
        layer.forward = lambda x, ours=ours: ours(x)  # the other pack's
        injection.eject()
        assert torch.equal(layer(X), before)
        layer.forward = ours  # the other pack restores what it had wrapped
        depths.append(depth(ours))
        assert torch.equal(layer(X), before)
    assert len(set(depths)) == 1


def depth(forward):
    """How many forwards of ours call each other."""
    cells = [cell.cell_contents for cell in forward.__closure__ or ()]
    inner = [cell for cell in cells if callable(cell) and getattr(cell, "__name__", "") == "forward"]
    return 1 + max((depth(each) for each in inner), default=0)


LOHA = LoHa(w1_a=random(6, 2), w1_b=random(2, 4), w2_a=random(6, 3), w2_b=random(3, 4), alpha=1.0)
DELTAS = {
    "LoRA": (LowRank(up=random(6, 2), down=random(2, 4), alpha=3.0), 2),
    "LoKr": (LoKr(w1=(random(3, 2),), w2=(random(2, 5), random(5, 2)), alpha=2.0), 3),
    "DoRA": (DoRA(direction=LOHA, magnitude=random(6, 1)), 5),
    "new value": (SetWeight(value=random(6, 4)), 1),
}


@pytest.mark.parametrize(("delta", "count"), DELTAS.values(), ids=DELTAS)
def test_a_delta_is_rebuilt_from_its_tensors_in_their_order(delta, count):
    tensors, weight = tensors_of(delta), random(6, 4)
    zeros = with_tensors(delta, map(torch.zeros_like, tensors))
    rebuilt = with_tensors(zeros, tensors)
    assert (len(tensors), type(rebuilt), rebuilt.alpha) == (count, type(delta), delta.alpha)
    assert not any(tensor.any() for tensor in tensors_of(zeros))
    assert all(ours is theirs for ours, theirs in zip(tensors_of(rebuilt), tensors, strict=True))
    assert torch.equal(rebuilt.change(weight), delta.change(weight))
