"""An unchanged prompt never runs the encoder, not even after a restart; a changed encoder never hits its entries."""

import importlib

import pytest
import torch
from safetensors.torch import save_file

import tiny
from zimage_core.config import TextConfig
from zimage_core.text import Qwen3

# the run layers of five are a whole file of four
CONFIG = TextConfig(vocab_size=151936, dim=16, n_layers=5, n_heads=2, n_kv_heads=1, head_dim=128, ffn_dim=32)
MEMORY, DISK, OFF = "memory", "memory and disk", "off"
KEY = "qwen3_4b.transformer.model.layers.0.mlp.up_proj.weight"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    place = tmp_path_factory.mktemp("text") / "qwen_3_4b.safetensors"
    save_file(tiny.fill(Qwen3(CONFIG), 4).state_dict(), place)
    return place


@pytest.fixture
def prompt_cache(pack, tmp_path, monkeypatch):
    """The bridge's module with an empty cache and a user folder of the test's own; `restart` forgets what is in RAM."""
    import folder_paths

    bridge = importlib.import_module("zimage_pack.nodes.bridge.loading.prompt_cache")
    monkeypatch.setattr(folder_paths, "user_directory", str(tmp_path / "user"))

    def restart():
        monkeypatch.setattr(bridge, "MEMORY_CACHE", type(bridge.MEMORY_CACHE)(1 << 20))

    restart()
    bridge.restart = restart
    return bridge


@pytest.fixture
def load(pack, file):
    """A freshly loaded CLIP that counts how often its network runs."""

    def call():
        clip, calls = pack.bridge_text.load_text_encoder(str(file), None), []
        clip.cond_stage_model.qwen3_4b.transformer.register_forward_hook(lambda *_: calls.append(1))
        return clip, calls

    return call


@pytest.fixture
def encode(pack):
    """The node's call."""
    node = pack.groups[1].ZImageTextEncode

    def call(clip, prompt="a red fox", **chosen):
        return node.execute(clip, prompt, "keep every token", **chosen).result

    return call


def test_memory_is_the_default_and_bit_equal_to_off_and_the_second_time_costs_no_forward(prompt_cache, load, encode):
    clip, calls = load()
    expected, report = encode(clip, remember=OFF)
    encode(clip, remember=OFF)
    assert len(calls) == 2
    for n_calls in (3, 3):
        found, report_again = encode(clip)
        assert len(calls) == n_calls
        assert report_again == report
        assert torch.equal(found[0][0], expected[0][0])
        assert (found[0][0].dtype, found[0][0].device) == (expected[0][0].dtype, expected[0][0].device)
        assert found[0][1] == expected[0][1]
        assert found[0][1]["pooled_output"] is None
    found[0][0].zero_()  # as a faulty node might
    assert torch.equal(encode(clip)[0][0][0], expected[0][0])


@pytest.mark.slow
def test_after_a_restart_the_disk_answers_without_the_encoder_if_it_was_allowed(prompt_cache, load, encode):
    clip, calls = load()
    expected, _ = encode(clip)
    assert not prompt_cache.cache_folder().exists()
    encode(clip, remember=DISK)
    assert len(calls) == 1
    assert len(list(prompt_cache.cache_folder().iterdir())) == 1
    prompt_cache.restart()
    clip, calls = load()
    found, _ = encode(clip, remember=DISK)
    assert not calls
    assert torch.equal(found[0][0], expected[0][0])
    prompt_cache.restart()
    encode(clip)
    assert len(calls) == 1


def test_a_damaged_file_runs_the_encoder_once(prompt_cache, load, encode):
    clip, calls = load()
    encode(clip, remember=DISK)
    [entry] = prompt_cache.cache_folder().iterdir()
    entry.write_bytes(entry.read_bytes()[:-1])
    for n_calls in (2, 2):
        prompt_cache.restart()
        encode(clip, remember=DISK)
        assert len(calls) == n_calls


@pytest.mark.slow
@pytest.mark.parametrize("change", ["prompt", "layer", "template", "cut", "weights"])
def test_whatever_changes_the_conditioning_misses(change, pack, prompt_cache, load, encode, file):
    clip, calls = load()
    encode(clip, remember=DISK)
    if change == "prompt":
        encode(clip, "a red fox ", remember=DISK)
    elif change == "layer":
        clip = clip.clone()
        clip.clip_layer(-3)
        encode(clip, remember=DISK)
    elif change == "template":
        pack.bridge_prompts.encode(clip, "a red fox", is_cut=False, template="{}", remember=DISK)
    elif change == "cut":
        encode(clip, "fox " * 600, remember=DISK)
        pack.bridge_prompts.encode(clip, "fox " * 600, is_cut=True, remember=DISK)
        calls.pop()
    else:
        content = file.read_bytes()
        file.write_bytes(content)  # the same content at another time: safe, not clever
        clip, calls = load()
        encode(clip, remember=DISK)
        calls.append(1)
    assert len(calls) == 2


@pytest.mark.slow
def test_an_encoder_with_a_lora_never_meets_the_entry_of_one_without(prompt_cache, load, encode):
    clip, calls = load()
    plain, _ = encode(clip, remember=DISK)
    patched = clip.clone()
    change = torch.randn(CONFIG.ffn_dim, CONFIG.dim, generator=torch.Generator().manual_seed(5))
    assert patched.add_patches({KEY: ("diff", (change,))}, 1.0) == [KEY]
    with_lora, _ = encode(patched, remember=DISK)
    assert len(calls) == 2
    assert not torch.allclose(with_lora[0][0], plain[0][0])
    again, _ = encode(patched.clone(), remember=DISK)
    assert len(calls) == 2
    assert torch.equal(again[0][0], with_lora[0][0])
    assert torch.equal(encode(clip, remember=DISK)[0][0][0], plain[0][0])
    assert len(list(prompt_cache.cache_folder().iterdir())) == 1  # a LoRA's name does not outlive the process
    other = clip.clone()
    other.add_patches({KEY: ("diff", (change,))}, 0.5)
    encode(other)
    assert len(calls) == 3


@pytest.mark.slow
def test_a_lora_that_leaves_the_encoder_alone_still_hits(prompt_cache, load, encode):
    clip, calls = load()
    encode(clip)
    same = clip.clone()
    same.add_patches({"no.such.key": ("diff", (torch.ones(1),))})
    encode(same)
    assert len(calls) == 1


@pytest.mark.slow
@pytest.mark.parametrize("door", ["hooks", "injections", "objects"])
def test_changes_without_a_name_are_not_cached(door, prompt_cache, load, encode):
    clip, calls = load()
    encode(clip)
    clip = clip.clone()
    if door == "hooks":
        import comfy.hooks

        clip.patcher.forced_hooks = comfy.hooks.HookGroup()
        clip.patcher.forced_hooks.add(comfy.hooks.ObjectPatchHook())
    elif door == "injections":
        clip.patcher.injections["other"] = [object]
        clip.load_model = lambda tokens: None  # nothing to inject here
    else:
        clip.patcher.add_object_patch("qwen3_4b.max_length", 77)
    encode(clip)
    encode(clip)
    assert len(calls) == 3


@pytest.mark.slow
def test_the_stock_loaders_clip_is_remembered_in_memory_only(prompt_cache, encode, comfy, file):
    import comfy.sd
    from comfy.supported_models_base import ClipTarget
    from comfy.text_encoders.z_image import ZImageTokenizer, te
    from safetensors.torch import load_file

    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2}
    options = {"qwen3_4b_model_config": {**shape, "num_key_value_heads": 1}, "dtype": torch.float32}
    clip = comfy.sd.CLIP(ClipTarget(ZImageTokenizer, te()), state_dict=[load_file(file)], model_options=options)
    calls = []
    clip.cond_stage_model.qwen3_4b.transformer.register_forward_hook(lambda *_: calls.append(1))
    expected, _ = encode(clip, remember=OFF)
    for _ in range(2):
        [[found, values]], _ = encode(clip, remember=DISK)
        assert torch.equal(found, expected[0][0])
        assert values.keys() == expected[0][1].keys()
        assert torch.equal(values["attention_mask"], expected[0][1]["attention_mask"])
    assert len(calls) == 2
    assert not prompt_cache.cache_folder().exists()
