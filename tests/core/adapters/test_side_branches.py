"""Deltas that depend on the weight, beside quantized layers: the product with the unpacked weight that was changed."""

import pytest
import torch
from torch import nn

import tiny
from zimage_core.adapters import (
    BOFT,
    OFT,
    AdapterError,
    DoRA,
    GLoRA,
    Lora,
    LowRank,
    SetWeight,
    Target,
    inject,
    injected,
)
from zimage_core.adapters.side_branch import unpacked_weight
from zimage_core.quant import FP8, INT8, quantize_layers

OUT, ADALN = "layers.0.attention.out", "layers.0.adaLN_modulation.0"  # 64 x 64, and 256 x 32 with a bias


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed + sum(shape))) * 0.3


def deltas(o, i):
    pair = LowRank(up=random(o, 2), down=random(2, i), alpha=1.0)
    return {
        "DoRA": DoRA(direction=pair, magnitude=1 + random(o, 1)),
        "DoRA by columns": DoRA(direction=pair, magnitude=1 + random(1, i)),
        "new value": SetWeight(value=random(o, i)),
        "OFT": OFT(blocks=random(o // 8, 8, 8), constraint=2.0),
        "BOFT": BOFT(blocks=random(3, o // 8, 8, 8), rescale=1 + random(o, 1)),
        "GLoRA": GLoRA(a1=random(i, 2), a2=random(2, i), b1=random(o, 2), b2=random(2, i)),
    }


def in_fp8(network, name):
    """The layer with an fp8 weight that is multiplied in float32, as ComfyUI does without a kernel."""
    layer = network.get_submodule(name)
    layer.weight = nn.Parameter(layer.weight.to(torch.float8_e4m3fn), requires_grad=False)
    layer.forward = lambda x: nn.functional.linear(x, layer.weight.float(), layer.bias)
    return layer


def lora(name, delta, part=None):
    return Lora(file="", family="", deltas={Target(f"{name}.weight", part): delta})


@pytest.mark.parametrize("kind", deltas(64, 64))
@pytest.mark.parametrize("name", [OUT, ADALN])
def test_a_delta_beside_a_layer_gives_the_product_with_the_changed_weight(kind, name):
    network = tiny.dit()
    layer = in_fp8(network, name)
    weight = layer.weight.float()
    delta, x = deltas(*weight.shape)[kind], random(2, 5, weight.shape[1])
    before = layer(x)
    wanted = nn.functional.linear(x, weight + delta.change(weight, 0.7), layer.bias)
    with injected(network, (lora(name, delta), 0.7)):
        torch.testing.assert_close(layer(x), wanted, atol=1e-5, rtol=0)
    assert torch.equal(layer(x), before)


def test_all_kinds_add_up_from_the_same_weight_in_any_order():
    network = tiny.dit()
    layer = in_fp8(network, OUT)
    weight, x = layer.weight.float(), random(5, 64)
    chosen = [(lora(OUT, delta), 0.3) for delta in deltas(64, 64).values()]
    chosen.append((lora(OUT, LowRank(up=random(64, 2), down=random(2, 64))), 0.5))
    total = sum(next(iter(each.deltas.values())).change(weight, strength) for each, strength in chosen)
    for order in (chosen, chosen[::-1]):
        with injected(network, *order):
            torch.testing.assert_close(layer(x), x @ (weight + total).T, atol=1e-5, rtol=0)


def test_rows_of_a_fused_matrix_are_changed_alone():
    network = tiny.dit()
    layer = in_fp8(network, "layers.0.attention.qkv")
    weight, x, delta = layer.weight.float(), random(5, 64), deltas(64, 64)["DoRA"]
    changed = weight.clone()
    changed[64:128] += delta.change(weight[64:128])
    with injected(network, (lora("layers.0.attention.qkv", delta, 1), 1.0)):
        torch.testing.assert_close(layer(x), x @ changed.T, atol=1e-5, rtol=0)


@pytest.mark.parametrize("scheme", [INT8, FP8], ids=["int8", "fp8"])
def test_our_own_8_bit_layers_are_unpacked_to_what_they_stand_for_and_take_a_dora(scheme):
    network = tiny.dit()
    weight = network.get_parameter(f"{OUT}.weight").detach().clone()
    quantize_layers(network, scheme)
    layer, x = network.get_submodule(OUT), random(5, 64)
    unpacked = unpacked_weight(layer)
    assert (unpacked - weight).norm() < 0.05 * weight.norm()
    torch.testing.assert_close(layer(x), x @ unpacked.T, atol=0.05, rtol=0)  # its inputs are rounded as well
    delta = deltas(64, 64)["DoRA"]
    wanted = x @ (unpacked + delta.change(unpacked)).T
    with injected(network, (lora(OUT, delta), 1.0)):
        assert (layer(x) - wanted).norm() < 0.05 * wanted.norm()


def test_a_dora_on_a_format_nobody_knows_is_refused_before_anything_is_changed():
    network = tiny.dit()
    layer = network.get_submodule(OUT)
    packed = type("Packed", (torch.Tensor,), {})
    layer.weight = nn.Parameter(layer.weight.detach().as_subclass(packed), requires_grad=False)
    before = dict(network.named_parameters())
    with pytest.raises(AdapterError, match=rf"^{OUT}.weight is quantised in a form that cannot be unpacked .*bfloat16"):
        inject(network, [(lora(OUT, deltas(64, 64)["DoRA"]), 1.0)])
    assert all(parameter is before[key] for key, parameter in network.named_parameters())
