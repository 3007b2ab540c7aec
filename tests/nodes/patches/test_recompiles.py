"""How often Z-Image Optimize's compiled layers are compiled: a few graphs for all layers, whatever the attention."""

import importlib
from dataclasses import replace
from itertools import product

import pytest
import torch
from safetensors.torch import save_file

N_LAYERS, STEPS = 12, 2  # more layers than Dynamo compiles one function for before it gives up (8)
SHAPES = {
    "attention.qkv": (768, 256),
    "attention.out": (256, 256),
    "feed_forward.w1": (768, 256),
    "feed_forward.w2": (256, 768),
}


@pytest.fixture(scope="module")
def optimize(pack):
    return importlib.import_module(f"{pack.entry.__name__}.nodes.bridge.patches.optimize")


@pytest.fixture(scope="module")
def models(comfy, pack, native, tmp_path_factory):
    config = replace(native.CONFIG, n_layers=N_LAYERS)
    path = tmp_path_factory.mktemp("models") / "zimage.safetensors"
    save_file(native.weights(config), path)
    stock = native.model(config)
    stock.cached_patcher_init = (comfy.sd.load_diffusion_model, (str(path), {}))
    return {"ours": pack.bridge_model.load_model(str(path)), "stock": stock}


@pytest.fixture
def constant_memory(monkeypatch):
    """ComfyUI's sub-quadratic attention is compiled again once free memory has changed: other work's choice of when."""
    from comfy import model_management

    @torch.compiler.disable  # as asking the system is
    def free(device=None, torch_free_too=False):
        return (8 << 30, 0) if torch_free_too else 8 << 30

    monkeypatch.setattr(model_management, "get_free_memory", free)


@pytest.fixture
def graphs(monkeypatch, constant_memory):
    """Sizes of the graphs that Dynamo hands to a back-end, which runs them as they are."""
    import torch._dynamo

    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    compiled, compile_with = [], torch.compile

    def backend(module, inputs):
        compiled.append(len(module.graph.nodes))
        return module.forward

    monkeypatch.setattr(torch, "compile", lambda model, **_: compile_with(model, backend=backend))
    with torch._dynamo.config.patch(fail_on_recompile_limit_hit=True):
        yield compiled
    torch._dynamo.reset()


def draw(comfy, native, model, width, positive=None, steps=STEPS):
    noise = torch.randn(1, 16, 8, width, generator=torch.Generator().manual_seed(3))
    prompts = positive or native.conditioning(17, 1), native.conditioning(40, 2)
    settings = (steps, 1.0, "euler", "simple", *prompts)
    return comfy.sample.sample(model, noise, *settings, torch.zeros_like(noise), disable_pbar=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loader", "attention", "of_attention"),
    [("ours", "a package's", 0), ("ours", "measured", 0), ("stock", "measured", 0), ("ours", "ComfyUI's", 3)],
)
def test_all_layers_share_a_few_graphs(
    comfy, pack, native, optimize, models, graphs, monkeypatch, loader, attention, of_attention
):
    """A layer in four pieces: around its attention, within and without; ComfyUI's sub-quadratic has three itself."""
    from comfy.ldm.modules.attention import attention_pytorch

    core = importlib.import_module(f"{pack.entry.__name__}.zimage_core.attention")
    choice = {"ComfyUI's": optimize.COMFYUI, "a package's": optimize.SAGE, "measured": optimize.AUTOMATIC}[attention]
    untraceable = torch.compiler.disable(attention_pytorch)  # as SageAttention's functions are
    monkeypatch.setattr(optimize, "get_attention_function", lambda name, default=None: untraceable)
    monkeypatch.setattr(optimize, "is_nvidia_gpu", lambda device: True)
    two = {name: core.Backend(core.sdpa, lambda q: True) for name in ("sdpa", "other")}  # so that shapes are measured
    measured = optimize.FastestAttention
    monkeypatch.setattr(optimize, "FastestAttention", lambda: measured(backends=two))
    model = optimize.optimize(models[loader], optimize.KEEP, choice, optimize.LAYERS).model
    counts = []
    for width in (8, 32, 48):  # of each other length: the first is compiled for, the second once with a free length
        found = draw(comfy, native, model, width)
        counts.append(len(graphs))
    assert counts[0] <= 4 + of_attention
    assert counts[1] <= 2 * counts[0] + 1  # and a piece in which there is nothing to compute
    assert counts[2] == counts[1]
    plain = optimize.optimize(models[loader], optimize.KEEP, optimize.COMFYUI, optimize.OFF).model
    torch.testing.assert_close(found, draw(comfy, native, plain, width), atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_loras_of_regions_are_compiled_once_for_all_layers_and_steps(
    comfy, native, optimize, models, graphs, lora_folder
):
    """In pieces around attention; they draw what layers that are not compiled draw."""
    generator, state = torch.Generator().manual_seed(6), {}
    for index, (name, (height, width)) in product(range(N_LAYERS), SHAPES.items()):
        layer = f"diffusion_model.layers.{index}.{name}"
        state[f"{layer}.lora_A.weight"] = torch.randn(2, width, generator=generator) * 0.1
        state[f"{layer}.lora_B.weight"] = torch.randn(height, 2, generator=generator) * 0.1
    save_file(state, lora_folder / "everywhere.safetensors")
    node = importlib.import_module("zimage_pack.nodes.region").ZImageRegion
    given = {each.id: each.default for each in node.define_schema().inputs[2:] if not each.optional}
    positive = native.conditioning(17, 1)
    for strength in (0.8, -0.5):
        own = {"lora": "everywhere.safetensors", "lora_strength": strength, "x": 0.5 * (strength < 0)}
        positive = node.execute(positive, native.conditioning(20, 5), **given | own).result[0]
    compiled, plain = (
        optimize.optimize(models["ours"], optimize.KEEP, optimize.COMFYUI, kind).model
        for kind in (optimize.LAYERS, optimize.OFF)
    )
    counts = []
    for steps in (1, 3):
        found = draw(comfy, native, compiled, 8, positive, steps=steps)
        counts.append(len(graphs))
    assert counts[0] == counts[1] <= 10
    expected = draw(comfy, native, plain, 8, positive, steps=3)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert (expected - draw(comfy, native, plain, 8, steps=3)).abs().max() > 0.05
