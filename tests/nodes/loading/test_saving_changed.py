"""What ComfyUI's save nodes write of quantized and changed parts comes back bit-equal, round after round.

ComfyUI has save nodes for MODEL, CLIP, VAE, all-in-one checkpoints and LoRAs; none for CLIP_VISION or MODEL_PATCH.
"""

import importlib

import pytest
import torch
from safetensors.torch import load_file
from saved_parts import newest, same, save_node, weights_of, whole_encoder

import quantized_files
from native_pictures import stock_node

QKV, PAD = "layers.0.attention.qkv", "x_pad_token"
LORA = {
    f"diffusion_model.{QKV}.lora_A.weight": torch.randn(4, 256, generator=torch.Generator().manual_seed(1)) * 0.1,
    f"diffusion_model.{QKV}.lora_B.weight": torch.randn(768, 4, generator=torch.Generator().manual_seed(2)) * 0.1,
    f"diffusion_model.{PAD}.diff": torch.ones(1, 256) / 8,
    "diffusion_model.layers.1.attention.q_norm.diff": torch.ones(32) / 8,
}


def quantized(native, name, folder):
    choose = quantized_files.block_linears(quantized_files.QUANTIZERS[name])
    made = quantized_files.quantize_state(
        native.weights(), lambda layer: choose(layer) if layer.startswith("layers.") else None
    )
    return str(quantized_files.save(made, folder / "quantized.safetensors"))


@pytest.mark.parametrize("name", quantized_files.QUANTIZERS)
def test_a_quantized_model_is_saved_as_it_was_loaded(pack, native, out, name):
    file = quantized(native, name, out)
    given = load_file(file)
    model = pack.bridge_model.load_model(file)
    for _ in range(2):
        save_node("ModelSave", model=model)
        found = {key.removeprefix("model.diffusion_model."): value for key, value in load_file(newest(out)).items()}
        for key, tensor in given.items():
            if tensor.dtype.itemsize == 1 and key.endswith(".weight"):
                assert torch.equal(found[key].view(torch.uint8), tensor.view(torch.uint8)), key
        again = pack.bridge_model.load_model(newest(out))
        same(weights_of(again.model.diffusion_model), weights_of(model.model.diffusion_model))
        model = again


@pytest.mark.slow
@pytest.mark.parametrize("node", ["CLIPSave", "CheckpointSave"])
@pytest.mark.parametrize("name", ["float8_e4m3fn", "int8_tensorwise by rows"])
def test_a_quantized_text_encoder_is_saved_as_it_was_loaded(pack, native, out, node, name):
    choose = quantized_files.QUANTIZERS[name]
    state = whole_encoder()
    made = quantized_files.quantize_state(
        state, lambda layer: choose if layer.startswith("model.layers.") and "_proj" in layer else None
    )
    clip = pack.bridge_text.load_text_encoder(str(quantized_files.save(made, out / "qwen.safetensors")), None)
    model = native.ours(pack, out) if node == "CheckpointSave" else None
    tokens = clip.tokenize("a red fox")
    expected = clip.encode_from_tokens(tokens)
    first = weights_of(clip.cond_stage_model.qwen3_4b.transformer)
    for _ in range(2):
        save_node(node, clip=clip, **({} if model is None else {"model": model, "vae": None}))
        clip = pack.bridge_text.load_text_encoder(newest(out), None)
        same(weights_of(clip.cond_stage_model.qwen3_4b.transformer), first)
        assert torch.equal(clip.encode_from_tokens(tokens), expected)
    assert any(tensor.dtype.itemsize == 1 for key, tensor in first.items() if key.endswith("weight"))


def test_a_lora_is_in_the_saved_model_and_only_there(pack, native, use, draw, out):
    model = native.ours(pack, out)
    before, own = draw(model), weights_of(model.model.diffusion_model)
    changed, _ = use(model, (LORA, 0.5))
    expected = draw(changed)
    save_node("ModelSave", model=changed)
    again = pack.bridge_model.load_model(newest(out))
    assert torch.equal(draw(again), expected)
    assert torch.equal(draw(model), before)
    same(weights_of(model.model.diffusion_model), own)
    first = load_file(newest(out))
    save_node("ModelSave", model=again)
    same(load_file(newest(out)), first)


def test_a_quantized_model_with_a_lora_beside_it_is_not_saved_without_it(pack, native, use, out):
    model = pack.bridge_model.load_model(quantized(native, "float8_e4m3fn", out))
    changed, _ = use(model, (LORA, 0.5))
    for each in (changed, changed.clone()):
        with pytest.raises(ValueError, match=r"^This model's LoRAs run beside its quantised layers and would not be"):
            save_node("ModelSave", model=each)
    save_node("ModelSave", model=model)
    assert pack.bridge_model.load_model(newest(out)) is not None


def test_a_difference_of_two_models_saved_as_a_lora_is_read_as_that_difference(pack, native, use, out):
    model = native.ours(pack, out)
    changed, _ = use(model, (LORA, 0.5))
    (difference,) = stock_node("comfy_extras.nodes_model_merging", "ModelSubtract")(
        model1=changed, model2=model, multiplier=1.0
    )
    save = importlib.import_module("comfy_extras.nodes_lora_extract").LoraSave
    save.execute("loras/extracted", 4, "full_diff", True, difference)
    lora = importlib.import_module("zimage_core.checkpoints").read_lora(newest(out))
    assert not lora.unmatched
    wanted = 0.5 * (LORA[f"diffusion_model.{QKV}.lora_B.weight"] @ LORA[f"diffusion_model.{QKV}.lora_A.weight"])
    found = next(delta for target, delta in lora.deltas.items() if target.parameter == f"{QKV}.weight")
    torch.testing.assert_close(found.matrix(), wanted, atol=1e-3, rtol=0)  # the stock node writes float16
