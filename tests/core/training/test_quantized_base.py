"""A LoRA on a base in fewer bits learns what it would learn on the values that those bits stand for."""

from pathlib import Path

import pytest
import torch

import ggufs
import quantized_files
import tiny
from zimage_core.adapters import quantized_layers, unpacked_weight
from zimage_core.checkpoints import load_dit
from zimage_core.quant import SCHEMES, quantize_layers
from zimage_core.recipes import LoraConfig
from zimage_core.training.loop.micro_batches import Noised
from zimage_core.training.objectives.noised import losses_of
from zimage_core.training.placed import load_base
from zimage_core.training.trainables import KINDS, LoraTrainable

ROUNDING = {"int8": 0.03, "fp8": 0.08}  # of activations: 8 bits, and the 4 significant ones of E4M3


@pytest.fixture
def group(generator):
    latent, noise, words = (torch.randn(shape, generator=generator) for shape in ((16, 8, 8), (16, 8, 8), (20, 48)))
    return [Noised(latent, noise, torch.tensor(0.4), words), Noised(noise, latent, torch.tensor(0.7), words)]


def learned(dit, group, kind="lora"):
    """Loss and gradients of an adapter that has learned something already."""
    lora = LoraTrainable(dit, rank=3, alpha=6.0, generator=torch.Generator().manual_seed(2), kind=kind)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in lora.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
    with lora.attached():
        loss = losses_of(dit, group, saves_memory=True)[0].mean()
        loss.backward()
    return loss.item(), torch.cat([parameter.grad.flatten() for parameter in lora.parameters()])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SCHEMES)
def test_8_bit_layers_pass_the_gradients_of_their_unpacked_weights(group, name, kind):
    """Up to the rounding of activations, which alone tells the two networks apart."""
    packed, plain = tiny.dit(), tiny.dit()
    assert quantize_layers(packed, SCHEMES[name]) == 10
    for path, layer in quantized_layers(packed).items():
        plain.get_submodule(path).weight.copy_(unpacked_weight(layer))
    (loss, found), (expected_loss, expected) = (learned(dit, group, kind) for dit in (packed, plain))
    assert loss == pytest.approx(expected_loss, rel=ROUNDING[name])
    assert (found - expected).norm() < ROUNDING[name] * expected.norm()
    assert not any("forward" in vars(module) for module in packed.modules())


def gguf(state, folder):
    """Q8_0 where rows are whole blocks."""
    made = ggufs.make(
        state, lambda key: "Q8_0" if key.startswith("layers.") and state[key].shape[-1] % 32 == 0 else "F32"
    )
    return ggufs.write(folder / "base.gguf", made.tensors, "lumina2"), made.values


def scaled_fp8(state, folder):
    made = quantized_files.quantize_state(state, quantized_files.block_linears(quantized_files.fp8))
    return quantized_files.save(made, folder / "base.safetensors"), made.values


@pytest.mark.parametrize("written", [gguf, scaled_fp8])
def test_a_packed_file_trains_as_its_values_do_and_its_layers_can_be_packed_again(tmp_path, group, written):
    file, values = written(tiny.dit().state_dict(), tmp_path)
    config = {"model": "m", "data": Path("d"), "out": Path("o.safetensors")}
    expected_loss, expected = learned(load_dit(values), group)
    loss, found = learned(load_base(file, LoraConfig(**config), torch.float32), group)
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    packed = load_base(file, LoraConfig(**config, quantize="int8"), torch.float32)
    assert len(quantized_layers(packed)) == 10
    loss, found = learned(packed, group)
    assert loss == pytest.approx(expected_loss, rel=ROUNDING["int8"])
    assert (found - expected).norm() < ROUNDING["int8"] * expected.norm()
