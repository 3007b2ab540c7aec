"""GGUF files: every block type gives the gguf library's own values, names and shapes become ours.

The files are written by the library's writer, so the reader is held against another's understanding of the format.
"""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import ggufs
import tiny
from zimage_core.checkpoints import CheckpointError, inspect, load_dit, load_text_encoder, read_tensors
from zimage_core.checkpoints.formats.gguf_header import TYPES
from zimage_core.model import S3DiT
from zimage_core.text import Qwen3

gguf = pytest.importorskip("gguf")

# Rows in whole blocks of 256, as in the released model.
WIDE = replace(tiny.DIT, dim=256, n_heads=2, ffn_dim=256, n_layers=1, n_refiner_layers=1, time_hidden_dim=64)
TEXT = replace(tiny.TEXT, dim=64, ffn_dim=128, head_dim=16)  # whole blocks of 32


@cache
def original():
    return tiny.fill(S3DiT(WIDE)).state_dict()


def check(network, values):
    state = network.state_dict()
    assert state.keys() == values.keys()
    assert all(torch.equal(state[key], values[key]) for key in values)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*ggufs.BLOCKS, "F16", "BF16", "F32"])
def test_every_block_type_gives_the_librarys_values(tmp_path, name):
    state = original()
    made = ggufs.make(state, lambda key: name if key.endswith(".w1.weight") else "F32")
    network = load_dit(ggufs.write(tmp_path / "model.gguf", made.tensors, architecture="lumina2"), torch.float32)
    check(network, made.values)
    kept = torch.equal(made.values["layers.0.feed_forward.w1.weight"], state["layers.0.feed_forward.w1.weight"])
    assert kept == (name == "F32")


def test_all_types_the_library_can_read_are_tested_and_known():
    """A newer library with a newer block type makes this fail, so that it is added to the table of the header."""
    from gguf.constants import GGML_QUANT_SIZES
    from gguf.quants import _type_traits

    assert set(ggufs.BLOCKS) == {kind.name for kind in _type_traits} - {"BF16"}
    known = {name: (size, n_bytes) for name, size, n_bytes in TYPES.values()}
    assert known == {kind.name: sizes for kind, sizes in GGML_QUANT_SIZES.items()}
    assert {number: name for number, (name, _, _) in TYPES.items()} == {
        int(kind): kind.name for kind in GGML_QUANT_SIZES
    }


@pytest.mark.parametrize("name", ["Q8_1", "Q8_K"])
def test_a_type_the_library_cannot_read_is_named(tmp_path, name):
    """Types ggml uses for activations only."""
    made = ggufs.make(original(), lambda key: name if key.endswith(".w1.weight") else "F32")
    file = ggufs.write(tmp_path / "model.gguf", made.tensors)
    with pytest.raises(CheckpointError, match=f"model.gguf holds blocks of type {name}, which the installed gguf"):
        load_dit(file)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", [None, "lumina2"])
@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
@pytest.mark.parametrize("large", ["Q8_0", "Q4_K"])
def test_whole_models_load_with_and_without_an_architecture_and_a_prefix(tmp_path, architecture, prefix, large):
    """stable-diffusion.cpp writes no architecture and keeps the prefix."""
    made = ggufs.make(original(), ggufs.like_city96(large))
    tensors = {prefix + key: tensor for key, tensor in made.tensors.items()}
    file = ggufs.write(tmp_path / "z-image-turbo.gguf", tensors, architecture=architecture)
    check(load_dit(file, torch.float32), made.values)
    report = inspect(file)
    assert report.what == "a Z-Image diffusion model"
    assert f"GGUF {large}" in report.precision
    assert (report.n_layers, report.n_parameters) == (1, sum(value.numel() for value in made.values.values()))


@pytest.mark.parametrize("name", ["Q8_0", "Q4_K", "F16", "BF16"])
def test_pads_may_be_stored_in_few_bits(tmp_path, name):
    """They are matrices of more than 1024 values in the 6B, so writers quantise them although they are no layer's."""
    made = ggufs.make(original(), lambda key: name if "pad_token" in key else "F32")
    network = load_dit(ggufs.write(tmp_path / "pads.gguf", made.tensors), torch.float32)
    check(network, made.values)
    assert network.x_pad_token.shape == (1, 256)


def test_packed_and_half_weights_compute_in_bfloat16_unless_told_otherwise(tmp_path):
    made = ggufs.make(original(), ggufs.like_city96("Q8_0"))
    network = load_dit(ggufs.write(tmp_path / "model.gguf", made.tensors))
    check(network, {key: value.bfloat16() for key, value in made.values.items()})


def test_a_tensor_flattened_for_its_blocks_gets_its_shape_back(tmp_path):
    """City96's `comfy.gguf.orig_shape.<name>`: here a width of 48 that blocks of 256 would not allow."""
    state = original()
    key = "cap_embedder.1.weight"
    assert state[key].shape == (256, 48)
    flat = {**state, key: state[key].reshape(48, 256)}
    made = ggufs.make(flat, lambda name: "Q6_K" if name == key else "F32")
    file = ggufs.write(tmp_path / "model.gguf", made.tensors, shapes={key: (256, 48)})
    check(load_dit(file, torch.float32), {**made.values, key: made.values[key].reshape(256, 48)})
    with pytest.raises(CheckpointError, match="cannot have the shape"):
        load_dit(ggufs.write(tmp_path / "lying.gguf", made.tensors, shapes={key: (256, 49)}))


def text_state():
    """A published text encoder: all three layers, final norm and head."""
    config = replace(TEXT, n_layers=4)  # one layer more in the network, which a loader leaves out of a file of three
    state = tiny.fill(Qwen3(config)).state_dict()
    return {**state, "model.norm.weight": torch.ones(64)}


@pytest.mark.slow
@pytest.mark.parametrize("large", ["Q8_0", "Q5_0", "BF16"])
def test_llama_cpps_names_of_the_text_encoder_are_translated(tmp_path, large):
    state = text_state()
    made = ggufs.make(ggufs.llama_cpp(state), ggufs.like_city96(large))
    file = ggufs.write(tmp_path / "Qwen3-4B.gguf", made.tensors, architecture="qwen3")
    back = dict(zip(ggufs.llama_cpp(state), state, strict=True))
    expected = {back[name]: value for name, value in made.values.items()}
    network = load_text_encoder(file, torch.float32)
    assert network.config.n_layers == 3
    check(network, {key: expected[key] for key in network.state_dict()})
    assert "blk.2.attn_q.weight" in made.tensors  # the last layer is in the file
    assert not any("layers.2." in key for key in network.state_dict())
    assert inspect(file).layout == "llama.cpp"


def test_the_names_are_those_of_the_gguf_library():
    """Its own table of llama.cpp's names, asked for every tensor of a Qwen3."""
    table = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN3, 3)
    state = text_state()
    names = [table.get_name(key, try_suffixes=(".weight",)) for key in state]
    assert names == list(ggufs.llama_cpp(state))


@pytest.mark.parametrize(
    ("architecture", "words"),
    [("qwen3vl", "Qwen3-VL"), ("qwen2vl", "Qwen2.5-VL"), ("llama", "Llama"), ("gemma3", "Gemma 3"), ("t5", "T5")],
)
def test_another_language_model_is_told_by_its_architecture(tmp_path, architecture, words):
    tensors = ggufs.make(ggufs.llama_cpp(text_state()), lambda key: "F32").tensors
    file = ggufs.write(tmp_path / "model.gguf", tensors, architecture=architecture)
    with pytest.raises(CheckpointError, match=f"{words}.*not a Z-Image text encoder; .*use qwen_3_4b.safetensors"):
        load_text_encoder(file)


def test_plain_tensors_share_the_files_memory(tmp_path):
    state = {"a": torch.arange(12.0).view(3, 4), "b": torch.arange(4).int(), "c": torch.ones(8, dtype=torch.bfloat16)}
    made = ggufs.make(state, lambda key: {"a": "F16", "b": "I32", "c": "BF16"}[key])
    file = ggufs.write(tmp_path / "plain.gguf", made.tensors)
    found, again = read_tensors(file), read_tensors(file)
    assert {key: tensor.dtype for key, tensor in found.items()} == {
        "a": torch.float16,
        "b": torch.int32,
        "c": torch.bfloat16,
    }
    assert all(torch.equal(found[key].float(), state[key].float()) for key in state)
    found["a"][0, 0] = 99.0  # copy on write: neither the file nor another reader sees it
    assert again["a"][0, 0] == read_tensors(file)["a"][0, 0] == 0


def test_a_cut_file_and_one_of_version_1_are_refused(tmp_path):
    file = ggufs.write(tmp_path / "model.gguf", ggufs.make(original(), ggufs.like_city96("Q8_0")).tensors)
    content = file.read_bytes()
    file.write_bytes(content[:-5000])
    with pytest.raises(CheckpointError, match=r"incomplete: [\d,]+ of [\d,]+ bytes are there"):
        load_dit(file)
    file.write_bytes(content[:4] + b"\x01" + content[5:])
    with pytest.raises(CheckpointError, match="GGUF of version 1"):
        load_dit(file)
    save_file(original(), file)
    with pytest.raises(CheckpointError, match="not a GGUF file"):
        load_dit(file)


def test_without_the_library_only_packed_files_ask_for_it(tmp_path, monkeypatch):
    plain = ggufs.write(tmp_path / "plain.gguf", ggufs.make(original(), lambda key: "F32").tensors)
    packed = ggufs.write(tmp_path / "packed.gguf", ggufs.make(original(), ggufs.like_city96("Q8_0")).tensors)
    monkeypatch.setitem(__import__("sys").modules, "gguf", None)
    check(load_dit(plain), original())
    with pytest.raises(CheckpointError, match="packed.gguf .* pip install gguf"):
        load_dit(packed)
    assert inspect(packed).what == "a Z-Image diffusion model"  # looking needs no library


def test_infinite_scales_of_a_damaged_block_print_nothing(tmp_path, recwarn):
    made = ggufs.make(original(), ggufs.like_city96("Q4_K"))
    key = "layers.0.feed_forward.w1.weight"
    blocks = made.tensors[key].data.copy()
    blocks.reshape(-1)[:4] = np.frombuffer(np.array([np.inf, np.nan], np.float16).tobytes(), np.uint8)
    made.tensors[key] = made.tensors[key]._replace(data=blocks)
    network = load_dit(ggufs.write(tmp_path / "model.gguf", made.tensors))
    assert not network.state_dict()[key].isfinite().all()
    assert not recwarn.list
