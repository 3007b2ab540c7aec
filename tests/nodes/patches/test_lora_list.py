"""A list of LoRAs acts as the same files through loaders one after the other, ComfyUI's own among them."""

import importlib
import re

import pytest
import torch
from safetensors.torch import save_file

from native_pictures import stock_node

NAMES = ("one", "two", "three", "four", "five")
SHAPES = {
    "layers.0.attention.out": (256, 256),
    "layers.1.feed_forward.w1": (768, 256),
    "layers.1.feed_forward.w3": (768, 256),
}
ROWS = [("one", 0.8), ("two", 0.5), ("three", -0.25), ("four", 1.0), ("five", 0.3), ("one", 0.2)]
LIST = """
one.safetensors : 0.8
  two.safetensors:0.5
# two.safetensors : 3
three.safetensors : -0.25

four.safetensors
five.safetensors : .3
one.safetensors : 0.2
"""


def random(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 0.2


@pytest.fixture(scope="module")
def files(lora_folder):
    for seed, name in enumerate(NAMES):
        state: dict[str, torch.Tensor] = {}
        absent = {"layers.99.attention.out": (256, 256)} if name == "one" else {}
        for key, (height, width) in (SHAPES | absent).items():
            state[f"diffusion_model.{key}.lora_A.weight"] = random(4, width, seed=seed)
            state[f"diffusion_model.{key}.lora_B.weight"] = random(height, 4, seed=seed + 50)
        metadata = {"modelspec.trigger_phrase": f"word {name}", "ss_base_model_version": "zimage:turbo"}
        save_file(state, lora_folder / f"{name}.safetensors", metadata)


@pytest.fixture(scope="module")
def put(pack):
    return importlib.import_module("zimage_pack.nodes.lora_list").ZImageLoraList.execute


def weights(model):
    """Every changed weight as ComfyUI patches it."""
    return {key: model.patch_weight_to_device(f"diffusion_model.{key}.weight", return_weight=True) for key in SHAPES}


def assert_equal(found, expected):
    for key in SHAPES:
        assert torch.equal(found[key], expected[key]), key


def test_six_rows_are_bit_for_bit_six_stock_loaders_and_two_of_ours(native, use, put, files):
    model = native.model()
    listed = weights(put(model=model, loras=LIST).result[0])
    stock, ours = model, model
    for name, strength in ROWS:
        (stock,) = stock_node("nodes", "LoraLoaderModelOnly")(
            model=stock, lora_name=f"{name}.safetensors", strength_model=strength
        )
    for part in (ROWS[:4], ROWS[4:]):
        ours = use(ours, *((f"{name}.safetensors", strength) for name, strength in part))[0]
    assert_equal(listed, weights(ours))
    assert_equal(listed, weights(stock))
    assert not torch.equal(listed["layers.1.feed_forward.w1"], weights(model)["layers.1.feed_forward.w1"])


@pytest.mark.parametrize("text", ["", "\n  \n# one.safetensors : 1\n", "one.safetensors : 0"])
def test_a_list_with_nothing_on_hands_the_model_itself_on(native, put, files, text):
    model = native.model()
    changed, words, _ = put(model=model, loras=text).result
    assert changed is model and words == ""


def test_the_report_tells_what_fits_the_trigger_words_and_a_lora_of_the_other_release(native, pack, put, files):
    lora_list = importlib.import_module("zimage_pack.nodes.bridge.patches.lora_list")
    model = native.model()
    _, report, words = lora_list.load_list(model, "one.safetensors : 0.8\ntwo.safetensors", "nano (built in)")
    first, second, _ = report.split("\n\n")
    assert "3 of 4 modules" in first and "3 of 3 modules" in second and "Trigger words: word two" in second
    assert words == "word one, word two"
    assert "Trained for" not in report


@pytest.mark.parametrize(
    ("file", "said"),
    [("z_image_bf16.safetensors", True), ("z_image_turbo_bf16.safetensors", False), ("unknown.safetensors", False)],
)
def test_a_turbo_lora_on_base_is_said(native, pack, put, files, file, said, monkeypatch):
    lora_list = importlib.import_module("zimage_pack.nodes.bridge.patches.lora_list")
    release = importlib.import_module("zimage_pack.zimage_core.checkpoints.identify.release").release_by_name({}, file)
    monkeypatch.setattr(lora_list.inspection, "origin", lambda name: {"release": release})
    _, report, _ = lora_list.load_list(native.model(), "two.safetensors", file)
    assert ("Trained for Turbo, but this model is base" in report) == said


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("\nthre.safetensors : 1", r"Line 2: there is no LoRA thre.safetensors .* three.safetensors"),
        ("one.safetensors : strong", r"Line 1: the strength is 'strong', not a number"),
        ("one.safetensors : nan", r"Line 1: the strength is 'nan', not a number"),
        ("one.safetensors :", r"Line 1: the strength is '', not a number"),
        ("one.safetensors : 1 @ 0.5-0.2", r"Line 1: after @ stands '0.5-0.2', not two numbers from 0 to 1"),
        ("one.safetensors : 1 blocks 0-9", r"Line 1: after blocks stands '0-9', not a block with a number"),
        (" : 0.5", r"Line 1: no file name"),
    ],
)
def test_a_line_in_error_is_told_with_its_number_and_the_next_step(native, put, files, text, told):
    with pytest.raises(ValueError, match=told) as error:
        put(model=native.model(), loras=text)
    assert not re.search("\n", str(error.value))
    assert put.__self__.validate_inputs(loras=text) == str(error.value)  # before the run, in the same words


def test_a_list_that_can_be_read_and_one_from_another_node_pass_before_the_run(put, files):
    assert put.__self__.validate_inputs(loras=LIST) is True
    assert put.__self__.validate_inputs(loras=None) is True  # as ComfyUI asks where a text is linked


def test_folders_are_found_with_either_slash(native, put, files, lora_folder):
    (lora_folder / "people").mkdir(exist_ok=True)
    (lora_folder / "people" / "six.safetensors").write_bytes((lora_folder / "two.safetensors").read_bytes())
    importlib.import_module("folder_paths").filename_list_cache.clear()
    for slash in "/\\":
        assert "3 of 3" in put(model=native.model(), loras=f"people{slash}six.safetensors").result[2]
