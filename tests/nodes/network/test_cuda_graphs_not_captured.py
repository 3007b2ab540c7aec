"""CUDA graphs beside patches of other nodes, failed captures, interruptions, and models that are refused."""

import gc
import importlib
import weakref
from types import SimpleNamespace

import pytest
import torch

from captured_pictures import BEFORE_REPLAYS, CPU, LOADERS, STEPS, captures_of


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


@pytest.mark.slow
@pytest.mark.parametrize("change", [patches_attention, replaces_a_block, overrides_attention, wraps_a_weight])
@pytest.mark.parametrize("loader", LOADERS)
def test_what_another_node_does_inside_a_step_is_done_at_every_step(gpu, load, optimize, sample, loader, change):
    model, calls = load[loader](), []
    captured, plain = (optimize(model, graph).model.clone() for graph in ("automatic", "off"))
    sample(captured)  # before the change; what was captured then must not run for what comes
    change(captured, calls)
    change(plain, calls)
    found, n_calls = sample(captured), len(calls)
    assert n_calls >= STEPS
    assert torch.equal(found, sample(plain))
    assert len(calls) == 2 * n_calls
    assert gpu.captures == 1


@pytest.mark.slow
def test_a_run_without_captures_frees_the_memory(gpu, load, optimize, sample):
    captured = optimize(load["ours"]()).model
    sample(captured)
    patched = captured.clone()
    patches_attention(patched, [])
    sample(patched)
    assert not captures_of(captured).steps.captures


def test_a_hook_on_a_layer_is_called_at_every_step(gpu, load, optimize, sample):
    model, calls = load["ours"](), []
    captured = optimize(model).model
    sample(captured)
    handle = model.model.diffusion_model.layers[1].register_forward_hook(lambda *_: calls.append(1))
    sample(captured)
    handle.remove()
    assert len(calls) == STEPS


@pytest.mark.slow
@pytest.mark.parametrize("loader", LOADERS)
def test_compiled_layers_are_not_captured(gpu, load, optimize, sample, loader):
    model = optimize(load[loader]()).model
    sample(model)
    attached = model.object_patches.get("diffusion_model._forward")
    network = model.model.diffusion_model if attached is None else attached.__self__
    network.layers[1] = torch.compile(network.layers[1], backend="eager")  # never run here, which would take long
    assert captures_of(model).reason_for_eager(network, {}, CPU) == "its layers are compiled"


@pytest.mark.slow
def test_an_attention_that_is_the_same_at_every_step_is_captured_with_the_step(bridge, gpu, load, optimize, sample):
    def steady(original, *args, **kwargs):
        return original(*args, **kwargs) * 1.1

    setattr(steady, bridge.blocks.STEP_INVARIANT, True)
    model = load["ours"]()
    plain, captured = (optimize(model, graph).model for graph in ("off", "automatic"))
    before = sample(captured)
    for each in (plain, captured):
        each.model_options["transformer_options"][bridge.blocks.ATTENTION_OVERRIDE] = steady
    found = sample(captured)
    assert torch.equal(found, sample(plain))
    assert not torch.equal(found, before)
    assert gpu.captures == 2


@pytest.mark.slow
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
    for each in (rules.COMFYUI, rules.DEFAULT_RULES, rules.DIFFUSERS, rules.COMFYUI):
        for sigma in (0.9, 0.6, 0.3, 0.1):
            tensors = (random(16, 8, 12), torch.tensor([sigma]), caption, 17)
            expected = network(*tensors, **references, omni_rules=each)
            found = network(*tensors, **references, omni_rules=each, transformer_options=options)
            assert torch.equal(found, expected)
    assert gpu.captures >= 1
    assert gpu.replays > 8


def test_a_failed_capture_is_logged_once_and_never_tried_again(gpu, load, optimize, sample, caplog):
    model = load["ours"]()
    captured, tries = optimize(model).model, []

    def fails(run, pool_from):
        tries.append(1)
        raise RuntimeError("operation not permitted while capturing\nmore of it")

    captures_of(captured).steps.capture = fails
    expected = sample(optimize(model, "off").model)
    for _ in range(2):
        assert torch.equal(sample(captured), expected)
    assert len(tries) == 1
    lines = [record.message for record in caplog.records if "could not be captured" in record.message]
    assert lines == [
        "Z-Image: a step could not be captured as a CUDA graph and runs block by block: "
        "operation not permitted while capturing"
    ]


def test_a_capture_that_gives_other_numbers_is_not_used(gpu, load, optimize, sample, caplog):
    model = load["ours"]()
    captured = optimize(model).model

    def forgetful(run, pool_from):
        out = run()
        return out, SimpleNamespace(replay=lambda: out.mul_(1.0001))

    captures_of(captured).steps.capture = forgetful
    assert torch.equal(sample(captured), sample(optimize(model, "off").model))
    assert "does not give the same numbers" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("when", [0, BEFORE_REPLAYS - 2, BEFORE_REPLAYS + 1], ids=["warming", "capturing", "replaying"])
def test_an_interruption_is_noticed_and_leaves_the_next_picture_right(comfy, gpu, load, optimize, sample, when):
    management, model = comfy.model_management, load["ours"]()
    captured = optimize(model).model
    progress = []

    def stop(step, *_):
        progress.append(step)
        management.interrupt_current_processing(step == when)

    with pytest.raises(management.InterruptProcessingException):
        sample(captured, callback=stop)
    assert progress == list(range(when + 1))
    assert gpu.replays == max(0, when - 1)  # none after it
    assert torch.equal(sample(captured), sample(optimize(model, "off").model))


def test_an_interruption_waits_until_a_capture_has_ended(comfy, gpu, load, optimize, sample):
    """An exception inside of one would break it."""
    model, ended = load["ours"](), []
    captured = optimize(model).model
    steps = captures_of(captured).steps
    capture = steps.capture

    def interrupted(run, pool_from):
        comfy.model_management.interrupt_current_processing(True)
        ended.append(capture(run, pool_from))
        return ended[0]

    steps.capture = interrupted
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        sample(captured)
    assert len(ended) == 1
    assert torch.equal(sample(captured), sample(optimize(model, "off").model))
    assert gpu.captures == 1


def test_after_a_failed_recording_nothing_is_recorded_and_it_is_said(gpu, load, optimize, sample, monkeypatch, caplog):
    caplog.set_level("INFO")
    model = load["ours"]()
    captured = optimize(model).model
    capture = importlib.import_module("zimage_pack.zimage_core.runtime.capture")
    monkeypatch.setattr(capture, "FAILED", ["a graph"])
    assert torch.equal(sample(captured), sample(optimize(model, "off").model))
    assert refusal(optimize, model) == capture.SWITCHED_OFF
    assert gpu.captures == 0
    assert caplog.text.count(capture.SWITCHED_OFF) == 1


@pytest.mark.slow
def test_nothing_is_left_when_the_model_is_gone(comfy, gpu, load, optimize, sample):
    captured = optimize(load["ours"]()).model
    sample(captured)
    captures = captures_of(captured)
    references_to = [weakref.ref(each) for each in (captures, *captures.steps.captures.values(), captured.model)]
    del captured, captures
    gc.collect()
    comfy.model_management.cleanup_models()
    assert [each() for each in references_to] == [None] * len(references_to)


def test_a_model_that_comfyui_moves_while_it_draws_is_loaded_as_a_whole(comfy, gpu, load, optimize, sample):
    model = load["ours"]()
    model.add_patches({"diffusion_model.x_embedder.weight": ("diff", (torch.full((256, 64), 0.05),))})
    model.is_dynamic = lambda: True
    captured, report = optimize(model)
    assert "; the whole model stays on the GPU" in report
    assert captured.model is not model.model
    assert type(captured) is comfy.model_patcher.ModelPatcher
    del model.is_dynamic
    assert torch.equal(sample(captured), sample(model))
    assert gpu.captures == 1


def test_one_that_was_attached_before_is_attached_again(gpu, pack, native, optimize, sample):
    attached = pack.bridge_attach.attach(native.model())
    before = sample(attached)
    attached.is_dynamic = lambda: True
    captured = optimize(attached).model
    del attached.is_dynamic
    assert captured.object_patches["diffusion_model._forward"].__self__.native is captured.model.diffusion_model
    assert torch.equal(sample(captured), before)
    assert gpu.captures == 1


def refusal(optimize, model, **choices):
    optimized, report = optimize(model, **choices)
    (line,) = [line for line in report.splitlines() if line.startswith("CUDA graphs: ")]
    assert "zimage_cuda_graphs" not in optimized.model_options["transformer_options"]
    return line.removeprefix("CUDA graphs: refused, because ")


def test_on_a_cpu_it_is_refused(load, optimize):
    assert refusal(optimize, load["ours"]()) == ("they need an NVIDIA GPU, and this model draws on cpu")


@pytest.mark.slow
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
        "only about 80% of the weights can stay on the GPU, and CUDA graphs need them all there"
    )


@pytest.mark.slow
def test_a_second_node_leaves_the_first_ones_captures_alone(gpu, load, optimize, sample):
    model = load["ours"]()
    captured, report = optimize(optimize(model).model, "off")
    assert "CUDA graphs: left to the Z-Image Optimize before" in report.splitlines()
    assert torch.equal(sample(captured), sample(optimize(model, "off").model))
    assert gpu.captures == 1
    other, report = optimize(captured, "off", precision="int8 (faster, not exact)")  # other layers
    assert "CUDA graphs: off" in report.splitlines()
    sample(other)
    assert gpu.captures == 1


def test_off_is_what_it_is_unless_asked_for(load, optimize, bridge):
    assert "CUDA graphs: off" in optimize(load["ours"](), "off").report.splitlines()
    node = importlib.import_module("zimage_pack.nodes.optimize").ZImageOptimize
    last = node.define_schema().inputs[-1]
    assert (last.id, last.default, last.optional, last.advanced) == ("graph", "off", True, True)
