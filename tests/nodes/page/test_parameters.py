"""The `parameters` text is read back by readers that are not ours: A1111's documented grammar, and sd-parsers."""

import importlib
import json
import re
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from sd_parsers import ParserManager

PAIR = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')  # A1111's `re_param`
FACTS = {
    "prompt": "a red fox: morning, 雪\nsecond line",
    "negative": 'blurry, "text"',
    "steps": 8,
    "solver": "euler",
    "cfg": 1.0,
    "seed": 2**64 - 1,
    "width": 1024,
    "height": 768,
    "shift": 3.0,
    "strength": 0.6,
    "model": "turbo/z_image_turbo.safetensors",
    "loras": [{"file": "styles\\fox.safetensors", "strength": 0.5}, {"file": "lost.safetensors", "strength": 1.0}],
}
HASHES = {"turbo/z_image_turbo.safetensors": "0123456789", "styles\\fox.safetensors": "abcdef0123"}


@pytest.fixture(scope="module")
def parameters(pack):
    return importlib.import_module(f"{pack.entry.__name__}.nodes.bridge.page.parameters")


def read(text):
    """Prompt, negative prompt and values, as A1111 takes a text apart."""
    *lines, last = text.split("\n")
    values = {
        name: json.loads(value) if value[:1] == '"' == value[-1:] else value for name, value in PAIR.findall(last)
    }
    prompt, _, negative = "\n".join(lines).partition("Negative prompt:")
    return prompt.strip(), negative.strip(), values


def test_the_negative_prompt_of_nag_is_the_pictures_where_the_sampler_has_none(parameters):
    facts = {**FACTS, "negative": "", "nag": {"negative": "blur", "scale": 3.0}}
    _, negative, values = read(parameters.parameters_text(facts, (64, 64), HASHES, "ComfyUI 0.30.0"))
    assert (negative, values["NAG scale"]) == ("blur", "3")


def test_every_fact_is_read_back(parameters):
    prompt, negative, values = read(parameters.parameters_text(FACTS, (64, 64), HASHES, "ComfyUI 0.30.0"))
    assert (prompt, negative) == (FACTS["prompt"], FACTS["negative"])
    assert values == {
        "Steps": "8",
        "Sampler": "Euler",
        "CFG scale": "1",
        "Seed": "18446744073709551615",
        "Size": "1024x768",
        "Model hash": "0123456789",
        "Model": "z_image_turbo",
        "Denoising strength": "0.6",
        "Shift": "3",
        "Lora hashes": "fox: abcdef0123",
        "Version": "ComfyUI 0.30.0",
    }


def test_what_is_not_known_is_left_out_and_the_size_is_the_pictures(parameters):
    text = parameters.parameters_text({"prompt": "a fox", "steps": 4, "strength": 1.0}, (320, 200), {}, "ComfyUI 1")
    assert text == "a fox\nSteps: 4, Size: 320x200, Version: ComfyUI 1"


@given(st.text(min_size=1))
def test_a_value_of_any_signs_is_read_back(parameters, value):
    line = f"Steps: 1, Model: {parameters.quoted(value)}, Version: 2"
    assert dict(PAIR.findall(line)).keys() == {"Steps", "Model", "Version"}
    assert read(line)[2]["Model"] == value


def test_sd_parsers_finds_the_settings_in_a_png(parameters, tmp_path):
    info, file = PngInfo(), tmp_path / "picture.png"
    info.add_text("parameters", parameters.parameters_text(FACTS, (64, 64), HASHES, "ComfyUI 0.30.0"))
    Image.new("RGB", (8, 8)).save(file, pnginfo=info)
    found = ParserManager().parse(file)
    assert found is not None
    [sampler] = found.samplers
    assert (sampler.name, sampler.parameters["steps"], sampler.parameters["seed"]) == ("Euler", "8", str(2**64 - 1))
    assert sampler.model.name == "z_image_turbo" and sampler.model.hash == "0123456789"
    assert [each.value for each in sampler.prompts] == [FACTS["prompt"]]
    assert [each.value for each in sampler.negative_prompts] == [FACTS["negative"]]


def test_without_a_text_of_ours_another_packs_stays(pack, monkeypatch, tmp_path):
    import folder_paths

    monkeypatch.setattr(folder_paths, "get_output_directory", lambda: str(tmp_path))
    saved = importlib.import_module(f"{pack.entry.__name__}.nodes.bridge.page.saved_picture")
    hidden = SimpleNamespace(prompt={}, extra_pnginfo={"parameters": "of another pack"}, unique_id="1")
    for with_parameters in (True, False):  # no sampler drew it, so there is none of ours either way
        (result,) = saved.save(torch.zeros(1, 8, 8, 3), "other", hidden, with_parameters=with_parameters)
        assert Image.open(tmp_path / result["filename"]).text["parameters"] == '"of another pack"'
