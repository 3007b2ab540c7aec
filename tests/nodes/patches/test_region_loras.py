"""A LoRA of a region: over the whole picture it is Load LoRA, and of a part it leaves tokens elsewhere alone."""

import importlib

import pytest
import torch
from safetensors.torch import save_file

import quantized_files
from zimage_core.adapters.token_lora import TokenShare, filled_shares, joint_shares

FULL = {"x": 0.0, "y": 0.0, "width": 1.0, "height": 1.0, "global_weight": 0.0}
HALF = {"x": 0.0, "y": 0.0, "width": 0.5, "height": 1.0}
LAYERS = (
    *("context_refiner.1.feed_forward.w2", "noise_refiner.0.attention.out", "layers.0.attention.qkv"),
    *("layers.1.feed_forward.w1", "layers.1.attention.out", "x_embedder", "cap_embedder.1", "final_layer.linear"),
)
NAMES = {"lora": "of_a_region.safetensors", "lora_strength": 0.8}


@pytest.fixture(scope="module", autouse=True)
def lora(native, lora_folder):
    """The tensors of a LoRA of every kind of layer that a region's can change."""
    generator, state = torch.Generator().manual_seed(6), {}
    weights = native.weights()
    for layer in LAYERS:
        height, width = weights[f"{layer}.weight"].shape
        state[f"diffusion_model.{layer}.lora_A.weight"] = torch.randn(2, width, generator=generator) * 0.1
        state[f"diffusion_model.{layer}.lora_B.weight"] = torch.randn(height, 2, generator=generator) * 0.3
    save_file(state, lora_folder / NAMES["lora"])
    return state


def defaults(node):
    inputs = [each for each in node.define_schema().inputs if getattr(each, "default", None) is not None]
    return {each.id: each.default for each in inputs if not each.optional}


@pytest.fixture(scope="module")
def region(pack):
    node = importlib.import_module("zimage_pack.nodes.region").ZImageRegion
    return lambda whole, own, **changes: node.execute(whole, own, **{**defaults(node), **changes}).result[0]


@pytest.fixture(scope="module")
def with_nag(pack, native):
    node = importlib.import_module("zimage_pack.nodes.nag").ZImageNAG
    given = {**defaults(node), "negative": native.conditioning(40, 9)}
    return lambda model: node.execute(model=model, **given).result[0]


@pytest.fixture
def sample(comfy, native):
    def draw(model, positive, cfg=1.0, batch=1):
        noise = torch.randn(batch, 16, 8, 8, generator=torch.Generator().manual_seed(3))
        settings = (2, cfg, "euler", "simple", positive, native.conditioning(40, 9), torch.zeros_like(noise))
        return comfy.sample.sample(model, noise, *settings, disable_pbar=True)

    return draw


@pytest.fixture(params=["ours", "attached"])
def model(request, pack, native, tmp_path):
    if request.param == "ours":
        return native.ours(pack, tmp_path)
    return importlib.import_module("zimage_pack.nodes.bridge.network.attach").attach(native.model())


def test_over_the_whole_picture_it_is_load_lora(native, model, region, sample, use, with_nag):
    whole, own = native.conditioning(20, 1), native.conditioning(50, 5)
    loaded, full = use(model, (NAMES["lora"], 0.8))[0], region(whole, own, **FULL, **NAMES)
    plain = sample(model, own)
    changed = sample(loaded, own)
    assert (changed - plain).abs().max() > 0.05
    torch.testing.assert_close(sample(model, full), changed, atol=1e-4, rtol=1e-4)
    guided = sample(with_nag(loaded), own)
    torch.testing.assert_close(sample(with_nag(model), full), guided, atol=1e-4, rtol=1e-4)
    assert torch.equal(sample(model, own), plain)  # and nothing of it stays


def test_with_guidance_the_negative_prompt_is_drawn_with_it_too(native, model, region, sample, use, lora_folder, lora):
    """Load LoRA on layers that only the picture passes through, with prompts of other lengths."""
    kept = {
        key: tensor
        for key, tensor in lora.items()
        if "context" not in key and "cap" not in key and ".layers." not in key
    }
    save_file(kept, lora_folder / "picture.safetensors")
    names = {"lora": "picture.safetensors", "lora_strength": 0.8}
    loaded = use(model, ("picture.safetensors", 0.8))[0]
    for own in (native.conditioning(50, 5), native.conditioning(70, 5)):
        found = sample(model, region(native.conditioning(20, 1), own, **FULL, **names), 3.0)
        torch.testing.assert_close(found, sample(loaded, own, 3.0), atol=1e-4, rtol=1e-4)
    plain = sample(model, own, 3.0)
    assert (found - plain).abs().max() > 0.05
    noise = torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(3))
    for positive in (region(native.conditioning(20, 1), own, **FULL, **names), own):  # one noise for two runs
        settings = (2, 3.0, "euler", "simple", positive, native.conditioning(40, 9), torch.zeros_like(noise))
        last = importlib.import_module("comfy.sample").sample(model, noise, *settings, disable_pbar=True)
    assert torch.equal(last, plain)


def test_without_strength_it_is_no_lora(native, model, region, sample):
    whole, own = native.conditioning(20, 1), native.conditioning(50, 5)
    expected = sample(model, region(whole, own, **HALF))
    assert torch.equal(sample(model, region(whole, own, **HALF, **NAMES | {"lora_strength": 0.0})), expected)


@pytest.mark.parametrize("cfg", [1.0, 3.0])
def test_two_regions_in_a_batch_have_one_each(native, model, region, sample, cfg):
    """The same LoRA in both halves of a prompt is that LoRA everywhere but in the whole prompt's words."""
    whole, own = native.conditioning(20, 1), native.conditioning(50, 5)
    left = region(whole, own, **HALF, **NAMES)
    one, both = (sample(model, each, cfg, 2) for each in (left, region(left, own, **HALF | {"x": 0.5}, **NAMES)))
    plain = sample(model, region(region(whole, own, **HALF), own, **HALF | {"x": 0.5}), cfg, 2)
    assert one.isfinite().all() and not torch.equal(one, both) and not torch.equal(both, plain)


def test_on_int8_layers_it_is_load_lora_bit_for_bit(pack, native, region, sample, use, tmp_path, lora_folder, lora):
    choose = quantized_files.block_linears(quantized_files.QUANTIZERS["int8_tensorwise by rows"])
    made = quantized_files.quantize_state(
        native.weights(), lambda layer: choose(layer) if layer.startswith("layers.") else None
    )
    model = pack.bridge_model.load_model(str(quantized_files.save(made, tmp_path / "int8.safetensors")))
    main = {key: tensor for key, tensor in lora.items() if ".layers." in key}
    save_file(main, lora_folder / "main_layers.safetensors")
    own, names = native.conditioning(50, 5), {"lora": "main_layers.safetensors", "lora_strength": 0.8}
    full = sample(model, region(native.conditioning(20, 1), own, **FULL, **names))
    loaded = sample(use(model, ("main_layers.safetensors", 0.8))[0], own)
    assert torch.equal(full, loaded) and not torch.equal(full, sample(model, own))


def test_what_acts_on_the_whole_picture_is_left_out_or_refused(region, native, lora_folder, lora):
    whole, own = native.conditioning(20, 1), native.conditioning(50, 5)
    name = "diffusion_model.layers.0.adaLN_modulation.0"
    more = {f"{name}.lora_A.weight": torch.ones(1, 256), f"{name}.lora_B.weight": torch.ones(1024, 1)}
    save_file({**lora, **more}, lora_folder / "modulated.safetensors")
    save_file(more, lora_folder / "modulation.safetensors")
    [[_, values]] = region(whole, own, lora="modulated.safetensors")
    assert len(values["zimage_regions"][0].lora[0].deltas) == len(LAYERS)
    with pytest.raises(ValueError, match="Z-Image Load LoRA"):
        region(whole, own, lora="modulation.safetensors")


def test_shares_follow_the_sequence_of_each_layer():
    share, coverage = TokenShare(), torch.tensor([0.0, 0.5, 1.0])
    joint = filled_shares(joint_shares([2, 1], lambda slot: slot == 1, coverage, 4), 3, 5)
    torch.testing.assert_close(joint, torch.tensor([0, 0, 1, 0, 0, 0, 0.5, 1, 0.5]))
    assert share.of(torch.ones(1, 7, 2)) == 1
    share.place(joint[None], 5)
    assert share.of(torch.ones(1, 3, 2))[0, :, 0].tolist() == [0, 0.5, 1]
    assert share.of(torch.ones(1, 11, 2))[0, :, 0].tolist() == [*joint.tolist(), 0.5, 0.5]
