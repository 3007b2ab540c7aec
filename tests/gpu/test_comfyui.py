"""What users run, in a real ComfyUI with its own choices of memory manager, allocator and attention, drawn by nano.

Needs ComfyUI in COMFYUI_DIR and its requirements. With COMFYUI_ON_CPU=1 the same prompts run on the processor.
"""

import asyncio
import os

import numpy as np
import pytest
import torch
from PIL import Image

from prompt_graphs import node, text_to_image
from tools.comfyui import comfyui_folder, running_server

IS_ON_CPU = os.environ.get("COMFYUI_ON_CPU") == "1"
STEPS = 6  # the first warms up, the second is measured, the third is captured, the others are replays


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    if not (comfyui_folder() / "main.py").exists():
        pytest.skip(f"no ComfyUI in {comfyui_folder()}; set COMFYUI_DIR")
    pytest.importorskip("aiohttp", reason="ComfyUI's requirements are not installed")
    base = tmp_path_factory.mktemp("comfyui")
    try:
        with running_server(base, base / "output", ("--cpu",) if IS_ON_CPU else ()) as up:
            yield up
    except RuntimeError as error:
        if "ModuleNotFoundError" in str(error) and "zimage" not in str(error):
            pytest.skip(f"ComfyUI's requirements are not installed: {str(error).splitlines()[-1]}")
        raise


@pytest.fixture
def run(server):
    from tools.workflows import execute

    def execute_and_wait(prompt, *on_message):
        return asyncio.run(asyncio.wait_for(execute(server, prompt, *on_message), timeout=120))

    return execute_and_wait


@pytest.fixture
def draw(run):
    """The picture of a prompt as floats (h, w, 3) in [0, 255]."""

    def draw_and_read(prompt):
        outcome = run(prompt)
        assert outcome.error is None, outcome.error
        picture = np.asarray(Image.open(outcome.files[-1]).convert("RGB"), dtype=np.float32)
        assert picture.std() > 1  # not one colour
        return picture

    return draw_and_read


def optimized(seed=1, steps=STEPS, **choices):
    given = {"precision": "as loaded", "attention": "automatic", "compiling": "off", "caching": "off", "graph": "off"}
    prompt = text_to_image(seed=seed, steps=steps)
    prompt["optimize"] = node("ZImageOptimize", model=["model", 0], **{**given, **choices})
    prompt["report"] = node("PreviewAny", source=["optimize", 1])
    prompt["sampler"]["inputs"]["model"] = ["optimize", 0]
    return prompt


def free(server):
    server.post("/free", {"unload_models": True, "free_memory": True})


def test_models_are_moved_by_dynamic_vram_where_comfyui_does_so(server, draw):
    draw(text_to_image(seed=1))
    log = server.log.read_text(errors="replace")
    if IS_ON_CPU or "DynamicVRAM support detected and enabled" not in log:
        pytest.skip("this ComfyUI has no dynamic VRAM here")
    assert "Traceback" not in log


def test_tiles_give_the_picture_of_a_decode_in_one(draw):
    whole, rows, tiles = (text_to_image(seed=2) for _ in range(3))
    for prompt in (whole, rows, tiles):
        prompt["latent"]["inputs"]["megapixels"] = 0.06
    rows["decode"]["inputs"]["tile_size"] = 128
    tiled = {"tile_size": 128, "overlap": 64, "temporal_size": 64, "temporal_overlap": 8}
    tiles["decode"] = node("VAEDecodeTiled", samples=["sampler", 0], vae=["vae", 0], **tiled)
    expected = draw(whole)
    for prompt in (rows, tiles):
        assert abs(draw(prompt) - expected).mean() < 1  # level of 255: rows have the whole picture's statistics


def test_recorded_steps_give_the_same_picture(draw):
    for seed in (3, 4):
        recorded = draw(optimized(seed=seed, graph="automatic"))
        assert np.array_equal(recorded, draw(optimized(seed=seed)))


def test_an_interruption_of_recorded_steps_leaves_the_next_picture_right(server, run, draw):
    expected, seen = draw(optimized(seed=5)), []

    def interrupt(kind, data):
        if kind == "progress" and data["value"] >= STEPS and not seen:
            seen.append(data["value"])
            server.post("/interrupt", {})

    assert run(optimized(seed=6, steps=300, graph="automatic"), interrupt).is_interrupted
    assert np.array_equal(draw(optimized(seed=5, graph="automatic")), expected)


def test_after_unloading_the_same_prompt_draws_the_same_picture(server, run, draw):
    prompt = optimized(seed=7, graph="automatic")
    expected = draw(prompt)
    free(server)
    assert np.array_equal(draw(optimized(seed=7)), expected)
    free(server)
    assert np.array_equal(draw(prompt), expected)


def test_int8_draws_nearly_the_same_picture(draw):
    exact, int8 = (
        draw(optimized(seed=8, precision=precision)) for precision in ("as loaded", "int8 (faster, not exact)")
    )
    assert abs(int8 - exact).mean() < 25  # levels of 255; another picture of nano's is some 80 away


@pytest.mark.skipif(not torch.cuda.is_available(), reason="compiling for a processor takes minutes")
def test_compiled_layers_draw_nearly_the_same_picture(server, draw):
    exact, compiled = (draw(optimized(seed=9, compiling=choice)) for choice in ("off", "each layer"))
    assert abs(compiled - exact).mean() < 10
    assert "recompile_limit" not in server.log.read_text(errors="replace")
