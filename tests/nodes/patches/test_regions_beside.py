"""Z-Image Region beside LoRA and ControlNet, and on int8 layers."""

import importlib

import pytest
import torch

import quantized_files
from controlled_pictures import picture

FULL = {"x": 0.0, "y": 0.0, "width": 1.0, "height": 1.0, "global_weight": 0.0}
INT8 = "int8_tensorwise by rows"


@pytest.fixture(scope="module")
def region(pack):
    node = importlib.import_module("zimage_pack.nodes.region").ZImageRegion
    defaults = {each.id: each.default for each in node.define_schema().inputs[2:] if not each.optional}
    return lambda whole, own, **changes: node.execute(whole, own, **{**defaults, **changes}).result[0]


def check_regions(native, region, model):
    """Half a picture hears another prompt; a whole one hears that prompt as if it were the only one, bit for bit."""
    import comfy.sample

    def draw(positive):
        noise = torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(3))
        settings = (1, 3.0, "euler", "simple", positive, native.conditioning(40, 9), torch.zeros_like(noise))
        return comfy.sample.sample(model, noise, *settings, disable_pbar=True)

    whole, own = native.conditioning(20, 1), native.conditioning(50, 5)
    half, full, plain = draw(region(whole, own)), draw(region(whole, own, **FULL)), draw(own)
    assert torch.equal(full, plain)
    assert half.isfinite().all() and not torch.equal(half, plain) and not torch.equal(half, draw(whole))


@pytest.mark.parametrize("kind", ["ours", "attached"])
def test_beside_a_lora_and_a_controlnet(native, deep, lite, steer, region, kind):
    import comfy.sd

    generator = torch.Generator().manual_seed(11)
    layer = "diffusion_model.layers.3.attention.qkv"
    down, up = (torch.randn(*shape, generator=generator) * 0.2 for shape in ((4, 256), (768, 4)))
    lora = {f"{layer}.lora_A.weight": down, f"{layer}.lora_B.weight": up}
    model, patch = (deep.ours, lite.ours) if kind == "ours" else (deep.attached, lite.stock)
    steered = steer(model, patch, image=picture(2), strength=0.7)
    check_regions(native, region, comfy.sd.load_lora_for_models(steered, None, lora, 1.0, 0.0)[0])


def test_on_int8_layers(pack, native, region, tmp_path):
    choose = quantized_files.block_linears(quantized_files.QUANTIZERS[INT8])
    made = quantized_files.quantize_state(
        native.weights(), lambda layer: choose(layer) if layer.startswith("layers.") else None
    )
    check_regions(
        native, region, pack.bridge_model.load_model(str(quantized_files.save(made, tmp_path / "int8.safetensors")))
    )
