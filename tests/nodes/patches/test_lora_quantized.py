"""LoRAs on quantized models: a side branch on the layer, never a weight that is quantized a second time.

The reference is linearity: a layer with weight W + ΔW gives x @ (W + ΔW)ᵀ, its former output plus x @ ΔWᵀ.
"""

import gc
import importlib
import re

import pytest
import torch
from safetensors.torch import save_file

import loras
import quantized_files
from zimage_core.checkpoints import read_lora

QKV = "layers.0.attention.qkv"
FORMATS = ("float8_e4m3fn", "int8_tensorwise by rows", "nvfp4")


@pytest.fixture(scope="module")
def load(pack, native, tmp_path_factory):
    """Our MODEL of a file in some quantization format, which ComfyUI's layers hold as it is."""
    place = tmp_path_factory.mktemp("quantised")

    def call(name):
        choose = quantized_files.block_linears(quantized_files.QUANTIZERS[name])
        made = quantized_files.quantize_state(
            native.weights(), lambda layer: choose(layer) if layer.startswith("layers.") else None
        )
        return pack.bridge_model.load_model(str(quantized_files.save(made, place / "quantised.safetensors")))

    return call


def cast_to_fp8(native):
    """Native's MODEL as the stock loader makes it when told to keep weights in fp8."""
    import comfy.model_base
    import comfy.model_patcher
    import comfy.supported_models

    config = comfy.supported_models.ZImage(native.settings())
    config.set_inference_dtype(torch.float8_e4m3fn, torch.float32)
    base = comfy.model_base.Lumina2(config)
    base.load_model_weights(native.weights(), "")
    cpu = torch.device("cpu")
    return comfy.model_patcher.CoreModelPatcher(base, load_device=cpu, offload_device=cpu)


def lora(native, only=loras.in_blocks, scale=0.1):
    """A weak LoRA, as real ones are, and its ΔW by parameter."""
    drawn = loras.pairs(native.CONFIG, 4, only)
    state = loras.keyed(drawn, lambda name: "transformer." + name, loras.A, loras.B, scale * loras.RANK)
    return state, loras.expected(native.CONFIG, drawn, scale)


def loaded(model):
    """The network of a MODEL, ready to run."""
    importlib.import_module("comfy.model_management").load_models_gpu([model])
    return model.model.diffusion_model


def stored(model):
    """Every byte of the weights, by name."""
    state = model.model.diffusion_model.state_dict()
    return {key: tensor.clone().view(torch.uint8) for key, tensor in state.items() if tensor.ndim}


def layer_output(model, x):
    return loaded(model).get_submodule(QKV)(x)


X = torch.randn(5, 256, generator=torch.Generator().manual_seed(9))


@pytest.mark.slow
@pytest.mark.parametrize("name", [*FORMATS, "native in fp8"])
def test_a_layer_adds_the_exact_change_to_its_output_and_stock_rounding_is_further_off(native, load, use, name):
    model = cast_to_fp8(native) if name == "native in fp8" else load(name)
    state, changes = lora(native, lambda name: name.startswith("layers.0.attention.to_"))
    exact = layer_output(model, X) + X @ changes[QKV + ".weight"].T
    with_lora, _ = use(model, (state, 1.0))
    ours = (layer_output(with_lora, X) - exact).abs().max()
    stock = importlib.import_module("nodes").LoraLoaderModelOnly()
    (rounded,) = stock.load_lora_model_only(model, "lora_0.safetensors", 1.0)
    theirs = (layer_output(rounded, X) - exact).abs().max()
    assert ours < 1e-5
    assert theirs > 100 * ours


@pytest.mark.slow
@pytest.mark.parametrize("name", [*FORMATS, "native in fp8"])
def test_no_byte_of_a_quantized_weight_changes_and_no_side_branch_remains(native, load, use, draw, name):
    from comfy.patcher_extension import WrappersMP

    model = cast_to_fp8(native) if name == "native in fp8" else load(name)
    before, bytes_before = draw(model), stored(model)
    with_lora, _ = use(model, (lora(native)[0], 1.0))
    seen = []
    with_lora = with_lora.clone()
    with_lora.add_wrapper(
        WrappersMP.DIFFUSION_MODEL,
        lambda run, *args, **kwargs: (seen.append(stored(with_lora)), run(*args, **kwargs))[1],
    )
    assert (draw(with_lora) - before).abs().max() > 0.02
    matrices = [
        key
        for key in bytes_before
        if quantized_files.is_block_linear(key.removesuffix(".weight")) and key.startswith("layers.")
    ]
    assert len(matrices) == 10
    assert all(torch.equal(state[key], bytes_before[key]) for state in seen for key in matrices)
    assert torch.equal(draw(model), before)
    assert not any("forward" in vars(layer) for layer in model.model.diffusion_model.modules())


def test_side_branches_add_up_in_one_node_and_in_two(native, load, use):
    model = load("float8_e4m3fn")
    (one, change), (two, other) = lora(native), lora(native, lambda name: name.endswith(("to_k", "w1")), 0.3)
    exact = layer_output(model, X) + X @ (0.7 * change[QKV + ".weight"] - 0.4 * other[QKV + ".weight"]).T
    together, _ = use(model, (one, 0.7), (two, -0.4))
    first, _ = use(model, (one, 0.7))
    layer_output(first, X)  # loaded, so that the second is put on a model whose branches are in
    after_another, _ = use(first, (two, -0.4))
    for changed in (together, after_another, together):
        torch.testing.assert_close(layer_output(changed, X), exact, atol=1e-5, rtol=0)
    alone = layer_output(model, X) + X @ (0.7 * change[QKV + ".weight"]).T
    torch.testing.assert_close(layer_output(first, X), alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["float8_e4m3fn", "int8_tensorwise by rows"])
def test_a_list_measures_quantized_weights_and_windows_run_beside_them(native, load, pack, draw, lora_folder, name):
    model, (state, changes) = load(name), lora(native, lambda name: name.startswith("layers.") and "adaLN" not in name)
    save_file(state, lora_folder / "listed.safetensors")
    importlib.import_module("folder_paths").filename_list_cache.clear()
    put = importlib.import_module("zimage_pack.nodes.lora_list").ZImageLoraList.execute
    always, _, report = put(model=model, loras="listed.safetensors : 0.8").result
    weights = [native.weights()[key].double() for key in changes]
    norms = [torch.stack([each.norm() for each in many]).norm() for many in (changes.values(), weights)]
    found = re.search(r"It changes the weights by ([\d.]+) %\.", report)
    assert float(found[1]) == pytest.approx(80 * float(norms[0] / norms[1]), rel=0.05)
    windowed = put(model=model, loras="listed.safetensors : 0.8 @ 0-0.99").result[0]  # every step is within
    torch.testing.assert_close(draw(windowed), draw(always), atol=1e-5, rtol=0)
    before = draw(model)
    assert (draw(windowed) - before).abs().max() > 0.01 and torch.equal(draw(model), before)


def test_lokr_and_full_differences_run_as_side_branches_too(native, load, use):
    model = load("int8_tensorwise by rows")
    left, right = torch.randn(24, 8) * 0.1, torch.randn(32, 32) * 0.1
    kron = {f"diffusion_model.{QKV}.lokr_w1": left, f"diffusion_model.{QKV}.lokr_w2": right}
    full = {f"diffusion_model.{QKV}.diff": torch.randn(768, 256) * 0.01}
    change = torch.kron(left, right) + full[f"diffusion_model.{QKV}.diff"]
    expected = layer_output(model, X) + X @ change.T
    torch.testing.assert_close(layer_output(use(model, (kron, 1.0), (full, 1.0))[0], X), expected, atol=1e-5, rtol=0)


@pytest.mark.slow
def test_a_model_deleted_while_loaded_takes_its_side_branches_with_it(native, load, use, draw):
    """As when a strength changes: the old MODEL leaves the cache, the one without LoRAs is cloned anew."""
    model = load("float8_e4m3fn")
    before = draw(model)
    changed, _ = use(model, (lora(native)[0], 1.0))
    expected = draw(changed)
    for _ in range(3):
        del changed
        gc.collect()
        changed, _ = use(model, (lora(native)[0], 1.0))
        assert torch.equal(draw(changed), expected)
    del changed
    gc.collect()
    assert torch.equal(draw(model), before)


def test_a_deleted_clone_leaves_the_loaded_models_side_branches_in(native, load, use):
    model, _ = use(load("float8_e4m3fn"), (lora(native)[0], 1.0))
    expected = layer_output(model, X)
    clone = model.clone()
    clone.add_patches({})
    del clone
    gc.collect()
    assert torch.equal(model.model.diffusion_model.get_submodule(QKV)(X), expected)


@pytest.mark.slow
def test_stock_bypass_loras_and_ours_do_not_disturb_each_other(native, load, use, draw):
    bypass = importlib.import_module("comfy_extras.nodes_lora_debug").LoraLoaderBypassModelOnly
    model = load("float8_e4m3fn")
    before = draw(model)
    ours, _ = use(model, (lora(native)[0], 1.0))
    (both,) = bypass().load_lora_model_only(ours, "lora_0.safetensors", 1.0)
    first = draw(both)
    for _ in range(3):
        assert torch.equal(draw(model), before)
        assert torch.equal(draw(both), first)


@pytest.mark.slow
def test_a_model_that_is_trained_on_is_known_to_carry_loras_however_they_are_put_there(pack, native, load, use):
    bridge = f"{pack.entry.__name__}.nodes.bridge"
    base = importlib.import_module(f"{bridge}.tasks.training.base")
    lora_list = importlib.import_module(f"{bridge}.patches.lora_list")
    bypass = importlib.import_module("comfy_extras.nodes_lora_debug").LoraLoaderBypassModelOnly()
    plain, quantised = native.model(), load("int8_tensorwise by rows")
    carrying = {
        "weights": use(plain, (lora(native)[0], 1.0))[0],
        "beside quantised layers": use(quantised, (lora(native)[0], 1.0))[0],
        "stock bypass mode": bypass.load_lora_model_only(plain, "lora_0.safetensors", 1.0)[0],
        "by steps": lora_list.load_list(plain, "lora_0.safetensors : 1>0", "none")[0],
    }
    assert [base.carries_loras(each) for each in (plain, quantised)] == [False, False]
    assert [name for name, model in carrying.items() if not base.carries_loras(model)] == []


def dependent():
    """State dicts of deltas that depend on the weight, all on the fused matrix."""
    base = f"diffusion_model.{QKV}"
    pair = loras.keyed({QKV: loras.Pair(random(768, 4), random(4, 256))}, "diffusion_model.{}".format, loras.A, loras.B)
    factors = {"a1": random(256, 4), "a2": random(4, 256), "b1": random(768, 4, seed=1), "b2": random(4, 256, seed=2)}
    return {
        "DoRA": pair | {f"{base}.dora_scale": 1 + random(768, 1).abs()},
        "DoRA by columns": pair | {f"{base}.dora_scale": 1 + random(1, 256).abs()},
        "new value": {f"{base}.set_weight": random(768, 256)},
        "OFT": {f"{base}.oft_blocks": random(96, 8, 8), f"{base}.alpha": torch.tensor(2.0)},
        "BOFT": {f"{base}.oft_blocks": random(3, 96, 8, 8)},
        "GLoRA": {f"{base}.{name}.weight": factor for name, factor in factors.items()},
    }


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed + 7 * shape[0] + shape[-1])) * 0.1


@pytest.mark.parametrize("kind", dependent())
@pytest.mark.parametrize("name", [*FORMATS, "native in fp8"])
def test_a_kind_that_depends_on_the_weight_gives_the_product_with_the_unpacked_and_changed_one(
    native, load, use, name, kind
):
    """The dense reference in float32; int8 also rounds its inputs, which is the error allowed there."""
    model = cast_to_fp8(native) if name == "native in fp8" else load(name)
    stored = model.model.diffusion_model.get_submodule(QKV).weight.detach()
    weight = (stored.dequantize() if hasattr(stored, "_layout_cls") else stored).float()
    ((_, delta),) = read_lora(dependent()[kind]).deltas.items()
    expected = X @ (weight + delta.change(weight, 0.7)).T
    own_error = (layer_output(model, X) - X @ weight.T).abs().max()
    found = layer_output(use(model, (dependent()[kind], 0.7))[0], X)
    assert (found - expected).abs().max() <= 1e-4 + 4 * own_error
    assert (expected - X @ weight.T).abs().max() > 0.1
    twice, _ = use(model, (dependent()[kind], 0.7), (dependent()["new value"], 0.2))
    both = expected + 0.2 * X @ (dependent()["new value"][f"diffusion_model.{QKV}.set_weight"] - weight).T
    assert (layer_output(twice, X) - both).abs().max() <= 1e-4 + 5 * own_error
