"""Captured steps inside ComfyUI: the same images bit for bit, and nothing captured that could differ or leak.

There is no GPU here: a fake capture runs the work again on the buffers it was captured with, as a graph does.
"""

import logging

import pytest
import torch

from captured_pictures import BEFORE_REPLAYS, CPU, LOADERS, STEPS, captures_of


def only_the_model(comfy, model):
    comfy.model_management.unload_model_and_clones(model, unload_additional_models=False)


def everything(comfy, model):
    comfy.model_management.free_memory(1e30, CPU)


@pytest.mark.slow
@pytest.mark.parametrize("loader", LOADERS)
def test_pictures_are_the_same_bit_for_bit_with_one_capture_for_every_geometry(gpu, load, optimize, sample, loader):
    model = load[loader]()
    plain, captured = optimize(model, "off").model, optimize(model).model
    for size in ((8, 8), (12, 8)):
        for seed in (1, 5, 9):  # other words of the same lengths
            assert torch.equal(sample(captured, seed=seed, size=size), sample(plain, seed=seed, size=size))
    assert gpu.captures == 2  # both prompts run in one batch
    assert gpu.replays == 2 * (3 * STEPS - BEFORE_REPLAYS + 1)  # what was captured is checked by one replay
    assert torch.equal(sample(captured, words=(17, 40)), sample(plain, words=(17, 40)))  # two lengths, two geometries
    assert gpu.captures == 4


@pytest.mark.slow
def test_captures_of_one_model_share_a_memory_pool(gpu, load, optimize, sample):
    captured = optimize(load["ours"]()).model
    sample(captured, words=(17, 40))
    first, second = gpu.pools_from
    assert first is None
    assert second in [each.captured for each in captures_of(captured).steps.captures.values()]


@pytest.mark.parametrize("loader", LOADERS)
def test_int8_layers_of_comfyui_are_captured(gpu, load, optimize, sample, loader):
    model = load[loader]()
    plain, captured = (
        optimize(model, graph, precision="int8 (faster, not exact)").model for graph in ("off", "automatic")
    )
    assert torch.equal(sample(captured), sample(plain))
    assert (gpu.captures, gpu.replays) == (1, STEPS - BEFORE_REPLAYS + 1)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["as loaded", "int8 (faster, not exact)"])
@pytest.mark.parametrize("loader", LOADERS)
def test_a_lora_put_in_or_taken_out_is_captured_again(gpu, load, optimize, sample, loader, precision):
    plain, captured = (optimize(load[loader](), graph, precision=precision).model for graph in ("off", "automatic"))
    patched, expected = captured.clone(), plain.clone()
    for model in (patched, expected):
        model.add_patches({"diffusion_model.layers.0.attention.out.weight": ("diff", (torch.full((256, 256), 0.05),))})
    before = sample(captured)
    found = sample(patched)
    assert torch.equal(found, sample(expected))
    assert not torch.equal(found, before)
    assert torch.equal(sample(captured), before)
    assert gpu.captures == 3


@pytest.mark.slow
def test_pad_tokens_of_a_stock_model_are_in_the_fingerprint(comfy, gpu, load, optimize, sample):
    model = load["stock"]()
    captured, plain = optimize(model).model, optimize(model, "off").model
    sample(captured)
    pad = model.model.diffusion_model.x_pad_token
    comfy.utils.set_attr_param(model.model, "diffusion_model.x_pad_token", pad * 3)
    size = (6, 6)  # of nine tokens, so that there are pads
    sample(captured, size=size)
    comfy.utils.set_attr_param(model.model, "diffusion_model.x_pad_token", pad + 1)
    assert torch.equal(sample(captured, size=size), sample(plain, size=size))
    assert gpu.captures == 3


@pytest.mark.slow
@pytest.mark.parametrize("unload", [only_the_model, everything])
def test_unloading_drops_captures_and_the_next_picture_is_the_same(comfy, gpu, load, optimize, sample, unload):
    captured = optimize(load["ours"]()).model
    before = sample(captured)
    assert captures_of(captured).steps.captures
    unload(comfy, captured)
    assert not captures_of(captured).steps.captures
    assert torch.equal(sample(captured), before)
    assert gpu.captures == 2


@pytest.mark.slow
@pytest.mark.parametrize("is_part", [True, False], ids=["a part", "all"])
def test_comfyui_counts_the_memory_and_takes_it_back_for_another_model(
    comfy, bridge, gpu, load, optimize, sample, monkeypatch, is_part
):
    free = iter(range(10**9, 0, -(10**6)))
    monkeypatch.setattr(bridge.cuda_graphs, "_free", lambda device: next(free))
    captured = optimize(load["ours"]()).model
    sample(captured)
    (memory,) = captured.get_additional_models_with_key("zimage_cuda_graphs")
    listed = [loaded for loaded in comfy.model_management.current_loaded_models if loaded.model is memory]
    assert [loaded.model_loaded_memory() for loaded in listed] == [10**6]
    if is_part:
        listed[0].model_unload(1)
    else:
        only_the_model(comfy, memory)
    assert not captures_of(captured).steps.captures
    assert memory.loaded_size() == 0


@pytest.mark.slow
def test_no_capture_is_kept_where_decoding_would_lack_memory(bridge, gpu, load, optimize, sample, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    captured, free = optimize(load["ours"]()).model, 8e9
    monkeypatch.setattr(bridge.cuda_graphs, "MIN_FREE_BYTES", 5e9)
    monkeypatch.setattr(
        bridge.cuda_graphs.model_management, "get_free_memory", lambda _, both=False: (free, free) if both else free
    )

    def spend(step, *_):
        nonlocal free
        free = 4e9 if step == STEPS - 1 else free

    sample(captured, callback=spend)
    assert gpu.captures == 1
    assert not captures_of(captured).steps.captures
    sample(captured)
    assert gpu.captures == 1
    assert caplog.text.count("less than 5 GB would stay free") == 1


def test_what_does_not_gain_is_not_captured(bridge, gpu, load, optimize, sample):
    model = load["ours"]()
    captured = optimize(model).model
    captures_of(captured).measure = lambda run: (run(), False)
    assert torch.equal(sample(captured), sample(optimize(model, "off").model))
    assert gpu.captures == 0
