"""Captured steps inside ComfyUI: the same images bit for bit, and nothing captured that could differ or leak.

There is no GPU here: a fake capture runs the work again on the buffers it was captured with, as a graph does.
"""

import gc
import importlib
import logging
import weakref
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from fake_capture import FakeCapture

STEPS = 6
BEFORE_REPLAYS = 3  # a geometry's first step warms up, its second is measured, its third is captured
LOADERS = ["ours", "stock"]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def bridge(pack):
    def load(name):
        return importlib.import_module(f"zimage_pack.nodes.bridge.{name}")

    return SimpleNamespace(
        optimize=load("patches.optimize"),
        cuda_graphs=load("network.cuda_graphs"),
        cuda_graph_memory=load("patches.cuda_graph_memory"),
        blocks=load("network.blocks"),
    )


@pytest.fixture(scope="module")
def file(native, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "zimage.safetensors"
    save_file(native.weights(), path)
    return str(path)


@pytest.fixture
def load(comfy, pack, native, file):
    """One file through our loader, and as ComfyUI's would have it, which reads released widths only."""

    def stock():
        model = native.model()
        model.cached_patcher_init = (comfy.sd.load_diffusion_model, (file, {}))
        return model

    return {"ours": lambda: pack.bridge_model.load_model(file), "stock": stock}


@pytest.fixture
def gpu(bridge, monkeypatch):
    """As on an NVIDIA GPU with memory to spare, where all steps are bound by launches."""
    fake = FakeCapture()
    captures = partial(bridge.cuda_graphs.ModelCaptures, capture=fake, measure=lambda run: (run(), True))
    monkeypatch.setattr(bridge.cuda_graph_memory, "is_nvidia_gpu", lambda device: True)
    monkeypatch.setattr(bridge.cuda_graph_memory, "ModelCaptures", captures)
    monkeypatch.setattr(bridge.cuda_graphs, "MIN_FREE_BYTES", 0)
    return fake


@pytest.fixture
def draw(comfy, native):
    def run(model, *, words=(17, 25), seed=1, size=(8, 8), steps=STEPS, callback=None):
        noise = torch.randn(1, 16, *size, generator=torch.Generator().manual_seed(3))
        positive, negative = (native.conditioning(n, seed + index) for index, n in enumerate(words))
        settings = (steps, 3.0, "euler", "simple", positive, negative, torch.zeros_like(noise))
        return comfy.sample.sample(model, noise, *settings, callback=callback, disable_pbar=True)

    return run


@pytest.fixture
def optimize(bridge):
    def run(model, graph="automatic", **choices):
        given = {"precision": "as loaded", "attention": "ComfyUI's", "compiling": "off", **choices}
        return bridge.optimize.optimize(model, graph=graph, **given)

    return run


def only_the_model(comfy, model):
    comfy.model_management.unload_model_and_clones(model, unload_additional_models=False)


def everything(comfy, model):
    comfy.model_management.free_memory(1e30, CPU)


def captures_of(model):
    return model.model_options["transformer_options"]["zimage_cuda_graphs"]


@pytest.mark.parametrize("loader", LOADERS)
def test_pictures_are_the_same_bit_for_bit_with_one_capture_for_every_geometry(gpu, load, optimize, draw, loader):
    model = load[loader]()
    plain, captured = optimize(model, "off").model, optimize(model).model
    for size in ((8, 8), (12, 8)):
        for seed in (1, 5, 9):  # other words of the same lengths
            assert torch.equal(draw(captured, seed=seed, size=size), draw(plain, seed=seed, size=size))
    assert gpu.captures == 2  # both prompts run in one batch
    assert gpu.replays == 2 * (3 * STEPS - BEFORE_REPLAYS + 1)  # what was captured is checked by one replay
    assert torch.equal(draw(captured, words=(17, 40)), draw(plain, words=(17, 40)))  # two lengths, two geometries
    assert gpu.captures == 4


def test_captures_of_one_model_share_a_memory_pool(gpu, load, optimize, draw):
    captured = optimize(load["ours"]()).model
    draw(captured, words=(17, 40))
    first, second = gpu.pools_from
    assert first is None
    assert second in [each.captured for each in captures_of(captured).steps.captures.values()]


@pytest.mark.parametrize("loader", LOADERS)
def test_int8_layers_of_comfyui_are_captured(gpu, load, optimize, draw, loader):
    model = load[loader]()
    plain, captured = (
        optimize(model, graph, precision="int8 (faster, not exact)").model for graph in ("off", "automatic")
    )
    assert torch.equal(draw(captured), draw(plain))
    assert (gpu.captures, gpu.replays) == (1, STEPS - BEFORE_REPLAYS + 1)


@pytest.mark.parametrize("precision", ["as loaded", "int8 (faster, not exact)"])
@pytest.mark.parametrize("loader", LOADERS)
def test_a_lora_put_in_or_taken_out_is_captured_again(gpu, load, optimize, draw, loader, precision):
    plain, captured = (optimize(load[loader](), graph, precision=precision).model for graph in ("off", "automatic"))
    patched, expected = captured.clone(), plain.clone()
    for model in (patched, expected):
        model.add_patches({"diffusion_model.layers.0.attention.out.weight": ("diff", (torch.full((256, 256), 0.05),))})
    before = draw(captured)
    found = draw(patched)
    assert torch.equal(found, draw(expected))
    assert not torch.equal(found, before)
    assert torch.equal(draw(captured), before)
    assert gpu.captures == 3


def test_pad_tokens_of_a_stock_model_are_in_the_fingerprint(comfy, gpu, load, optimize, draw):
    model = load["stock"]()
    captured, plain = optimize(model).model, optimize(model, "off").model
    draw(captured)
    pad = model.model.diffusion_model.x_pad_token
    comfy.utils.set_attr_param(model.model, "diffusion_model.x_pad_token", pad * 3)
    size = (6, 6)  # of nine tokens, so that there are pads
    draw(captured, size=size)
    comfy.utils.set_attr_param(model.model, "diffusion_model.x_pad_token", pad + 1)
    assert torch.equal(draw(captured, size=size), draw(plain, size=size))
    assert gpu.captures == 3


@pytest.mark.parametrize("unload", [only_the_model, everything])
def test_unloading_drops_captures_and_the_next_picture_is_the_same(comfy, gpu, load, optimize, draw, unload):
    captured = optimize(load["ours"]()).model
    before = draw(captured)
    assert captures_of(captured).steps.captures
    unload(comfy, captured)
    assert not captures_of(captured).steps.captures
    assert torch.equal(draw(captured), before)
    assert gpu.captures == 2


@pytest.mark.parametrize("is_part", [True, False], ids=["a part", "all"])
def test_comfyui_counts_the_memory_and_takes_it_back_for_another_model(
    comfy, bridge, gpu, load, optimize, draw, monkeypatch, is_part
):
    free = iter(range(10**9, 0, -(10**6)))
    monkeypatch.setattr(bridge.cuda_graphs, "_free", lambda device: next(free))
    captured = optimize(load["ours"]()).model
    draw(captured)
    (memory,) = captured.get_additional_models_with_key("zimage_cuda_graphs")
    listed = [loaded for loaded in comfy.model_management.current_loaded_models if loaded.model is memory]
    assert [loaded.model_loaded_memory() for loaded in listed] == [10**6]
    if is_part:
        listed[0].model_unload(1)
    else:
        only_the_model(comfy, memory)
    assert not captures_of(captured).steps.captures
    assert memory.loaded_size() == 0


def test_no_capture_is_kept_where_decoding_would_lack_memory(bridge, gpu, load, optimize, draw, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    captured, free = optimize(load["ours"]()).model, 8e9
    monkeypatch.setattr(bridge.cuda_graphs, "MIN_FREE_BYTES", 5e9)
    monkeypatch.setattr(
        bridge.cuda_graphs.model_management, "get_free_memory", lambda _, both=False: (free, free) if both else free
    )

    def spend(step, *_):
        nonlocal free
        free = 4e9 if step == STEPS - 1 else free

    draw(captured, callback=spend)
    assert gpu.captures == 1
    assert not captures_of(captured).steps.captures
    draw(captured)
    assert gpu.captures == 1
    assert caplog.text.count("less than 5 GB would stay free") == 1


def test_what_does_not_gain_is_not_captured(bridge, gpu, load, optimize, draw):
    model = load["ours"]()
    captured = optimize(model).model
    captures_of(captured).measure = lambda run: (run(), False)
    assert torch.equal(draw(captured), draw(optimize(model, "off").model))
    assert gpu.captures == 0


def seen_attention(calls):
    def patch(q, k, v, **kwargs):
        calls.append(1)
        return {"q": q * 1.1, "k": k, "v": v}

    return patch


def patches_attention(model, calls):
    model.set_model_attn1_patch(seen_attention(calls))


def replaces_a_block(model, calls):
    def replacement(arguments, extra):
        calls.append(1)
        return extra["original_block"]({**arguments, "img": arguments["img"] * 1.1})

    model.set_model_patch_replace(replacement, "dit", "double_block", 0)


def overrides_attention(model, calls):
    def override(original, *args, **kwargs):
        calls.append(1)
        return original(*args, **kwargs) * 1.1

    model.model_options["transformer_options"]["optimized_attention_override"] = override


def wraps_a_weight(model, calls):
    def double(weight):
        calls.append(1)
        return weight * 2

    model.add_weight_wrapper("diffusion_model.layers.0.feed_forward.w1.weight", double)


@pytest.mark.parametrize("change", [patches_attention, replaces_a_block, overrides_attention, wraps_a_weight])
@pytest.mark.parametrize("loader", LOADERS)
def test_what_another_node_does_inside_a_step_is_done_at_every_step(gpu, load, optimize, draw, loader, change):
    model, calls = load[loader](), []
    captured, plain = (optimize(model, graph).model.clone() for graph in ("automatic", "off"))
    draw(captured)  # before the change; what was captured then must not run for what comes
    change(captured, calls)
    change(plain, calls)
    found, n_calls = draw(captured), len(calls)
    assert n_calls >= STEPS
    assert torch.equal(found, draw(plain))
    assert len(calls) == 2 * n_calls
    assert gpu.captures == 1


def test_a_run_without_captures_frees_the_memory(gpu, load, optimize, draw):
    captured = optimize(load["ours"]()).model
    draw(captured)
    patched = captured.clone()
    patches_attention(patched, [])
    draw(patched)
    assert not captures_of(captured).steps.captures


def test_a_hook_on_a_layer_is_called_at_every_step(gpu, load, optimize, draw):
    model, calls = load["ours"](), []
    captured = optimize(model).model
    draw(captured)
    handle = model.model.diffusion_model.layers[1].register_forward_hook(lambda *_: calls.append(1))
    draw(captured)
    handle.remove()
    assert len(calls) == STEPS


@pytest.mark.parametrize("loader", LOADERS)
def test_compiled_layers_are_not_captured(gpu, load, optimize, draw, loader):
    model = optimize(load[loader]()).model
    draw(model)
    attached = model.object_patches.get("diffusion_model._forward")
    network = model.model.diffusion_model if attached is None else attached.__self__
    network.layers[1] = torch.compile(network.layers[1], backend="eager")  # never run here, which would take long
    assert captures_of(model).reason_for_eager(network, {}, CPU) == "its layers are compiled"


def test_an_attention_that_is_the_same_at_every_step_is_captured_with_the_step(bridge, gpu, load, optimize, draw):
    def steady(original, *args, **kwargs):
        return original(*args, **kwargs) * 1.1

    setattr(steady, bridge.blocks.STEP_INVARIANT, True)
    model = load["ours"]()
    plain, captured = (optimize(model, graph).model for graph in ("off", "automatic"))
    before = draw(captured)
    for each in (plain, captured):
        each.model_options["transformer_options"][bridge.blocks.ATTENTION_OVERRIDE] = steady
    found = draw(captured)
    assert torch.equal(found, draw(plain))
    assert not torch.equal(found, before)
    assert gpu.captures == 2


def test_references_are_captured_under_whatever_rules(gpu, pack, native, optimize, tmp_path, generator):
    model = native.ours(pack, tmp_path, native.OMNI)
    options = {"zimage_cuda_graphs": captures_of(optimize(model).model)}
    network, rules = model.model.diffusion_model, pack.core_model

    def random(*shape):
        return torch.randn(1, *shape, generator=generator)

    references = {
        "ref_latents": [random(16, 8, 12)],
        "ref_contexts": [random(length, native.OMNI.cap_feat_dim) for length in (5, 3)],
        "siglip_feats": [random(2, 3, native.OMNI.siglip_feat_dim)],
    }
    caption = random(17, native.OMNI.cap_feat_dim)
    for each in (rules.COMFYUI, rules.REFERENCE, rules.DIFFUSERS, rules.COMFYUI):
        for sigma in (0.9, 0.6, 0.3, 0.1):
            tensors = (random(16, 8, 12), torch.tensor([sigma]), caption, 17)
            expected = network(*tensors, **references, omni_rules=each)
            found = network(*tensors, **references, omni_rules=each, transformer_options=options)
            assert torch.equal(found, expected)
    assert gpu.captures >= 1
    assert gpu.replays > 8


def test_a_failed_capture_is_logged_once_and_never_tried_again(gpu, load, optimize, draw, caplog):
    model = load["ours"]()
    captured, tries = optimize(model).model, []

    def fails(run, pool_from):
        tries.append(1)
        raise RuntimeError("operation not permitted while capturing\nmore of it")

    captures_of(captured).steps.capture = fails
    expected = draw(optimize(model, "off").model)
    for _ in range(2):
        assert torch.equal(draw(captured), expected)
    assert len(tries) == 1
    lines = [record.message for record in caplog.records if "could not be recorded" in record.message]
    assert lines == [
        "Z-Image: a step could not be recorded and runs block by block: operation not permitted while capturing"
    ]


def test_a_capture_that_gives_other_numbers_is_not_used(gpu, load, optimize, draw, caplog):
    model = load["ours"]()
    captured = optimize(model).model

    def forgetful(run, pool_from):
        out = run()
        return out, SimpleNamespace(replay=lambda: out.mul_(1.0001))

    captures_of(captured).steps.capture = forgetful
    assert torch.equal(draw(captured), draw(optimize(model, "off").model))
    assert "does not give the same numbers" in caplog.text


@pytest.mark.parametrize("when", [0, BEFORE_REPLAYS - 2, BEFORE_REPLAYS + 1], ids=["warming", "capturing", "replaying"])
def test_an_interruption_is_noticed_and_leaves_the_next_picture_right(comfy, gpu, load, optimize, draw, when):
    management, model = comfy.model_management, load["ours"]()
    captured = optimize(model).model
    progress = []

    def stop(step, *_):
        progress.append(step)
        management.interrupt_current_processing(step == when)

    with pytest.raises(management.InterruptProcessingException):
        draw(captured, callback=stop)
    assert progress == list(range(when + 1))
    assert gpu.replays == max(0, when - 1)  # none after it
    assert torch.equal(draw(captured), draw(optimize(model, "off").model))


def test_an_interruption_during_a_capture_is_no_failure_of_it(comfy, gpu, load, optimize, draw):
    stopped = comfy.model_management.InterruptProcessingException
    captured = optimize(load["ours"]()).model
    steps = captures_of(captured).steps
    capture = steps.capture

    def interrupted(run, pool_from):
        run()
        raise stopped

    steps.capture = interrupted
    with pytest.raises(stopped):
        draw(captured)
    steps.capture = capture
    draw(captured)
    assert gpu.captures == 1


def test_nothing_is_left_when_the_model_is_gone(comfy, gpu, load, optimize, draw):
    captured = optimize(load["ours"]()).model
    draw(captured)
    captures = captures_of(captured)
    references_to = [weakref.ref(each) for each in (captures, *captures.steps.captures.values(), captured.model)]
    del captured, captures
    gc.collect()
    comfy.model_management.cleanup_models()
    assert [each() for each in references_to] == [None] * len(references_to)


def test_a_model_that_comfyui_moves_while_it_draws_is_loaded_as_a_whole(comfy, gpu, load, optimize, draw):
    model = load["ours"]()
    model.add_patches({"diffusion_model.x_embedder.weight": ("diff", (torch.full((256, 64), 0.05),))})
    model.is_dynamic = lambda: True
    captured, report = optimize(model)
    assert "; the model stays on the card as a whole" in report
    assert captured.model is not model.model
    assert type(captured) is comfy.model_patcher.ModelPatcher
    del model.is_dynamic
    assert torch.equal(draw(captured), draw(model))
    assert gpu.captures == 1


def test_one_that_was_attached_before_is_attached_again(gpu, pack, native, optimize, draw):
    attached = pack.bridge_attach.attach(native.model())
    before = draw(attached)
    attached.is_dynamic = lambda: True
    captured = optimize(attached).model
    del attached.is_dynamic
    assert captured.object_patches["diffusion_model._forward"].__self__.native is captured.model.diffusion_model
    assert torch.equal(draw(captured), before)
    assert gpu.captures == 1


def refusal(optimize, model, **choices):
    optimized, report = optimize(model, **choices)
    (line,) = [line for line in report.splitlines() if line.startswith("graph: ")]
    assert "zimage_cuda_graphs" not in optimized.model_options["transformer_options"]
    return line.removeprefix("graph: refused, because ")


def test_on_a_cpu_it_is_refused(load, optimize):
    assert refusal(optimize, load["ours"]()) == ("steps are recorded on NVIDIA cards only, and this model draws on cpu")


def test_what_cannot_be_captured_is_refused_in_one_sentence(bridge, gpu, load, optimize, monkeypatch):
    model = load["stock"]()
    assert refusal(optimize, model, compiling="each layer") == "the layers are compiled; choose one of the two"
    model.is_dynamic, model.cached_patcher_init = (lambda: True), None
    assert refusal(optimize, model) == (
        "ComfyUI moves the weights while it draws and the loader does not tell their file; use Z-Image Load Model"
    )
    needed = bridge.cuda_graph_memory.model_memory(model)
    free = needed.step + 0.8 * needed.weights - model.loaded_size()
    monkeypatch.setattr(bridge.cuda_graph_memory.model_management, "get_free_memory", lambda device: free)
    assert refusal(optimize, model) == (
        "only about 80% of the weights can stay on the card, and a recorded step needs them all there"
    )


def test_a_second_node_leaves_the_first_ones_captures_alone(gpu, load, optimize, draw):
    model = load["ours"]()
    captured, report = optimize(optimize(model).model, "off")
    assert "graph: left to the Z-Image Optimize before" in report.splitlines()
    assert torch.equal(draw(captured), draw(optimize(model, "off").model))
    assert gpu.captures == 1
    other, report = optimize(captured, "off", precision="int8 (faster, not exact)")  # other layers
    assert "graph: off" in report.splitlines()
    draw(other)
    assert gpu.captures == 1


def test_off_is_what_it_is_unless_asked_for(load, optimize, bridge):
    assert "graph: off" in optimize(load["ours"](), "off").report.splitlines()
    node = importlib.import_module("zimage_pack.nodes.optimize").ZImageOptimize
    last = node.define_schema().inputs[-1]
    assert (last.id, last.default, last.optional, last.advanced) == ("graph", "off", True, True)
