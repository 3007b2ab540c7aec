"""Damaged and hostile files: a network or one clear sentence, never a crash, a hang or a huge allocation.

About 6,600 cases, every one drawn from a fixed seed; ZIMAGE_FUZZ=10 draws ten times as many.
"""

import json
import os
import resource
import signal
import socket
from collections import Counter
from pathlib import Path
from random import Random

import pytest
import torch
from hypothesis import find, given, settings
from hypothesis import strategies as st

import file_mutations
import ggufs
import quantized_files
import tiny
from zimage_core.adapters.control.network import ControlNet
from zimage_core.checkpoints import (
    CONTROL_PUBLISHED,
    DIT_DIFFUSERS,
    CheckpointError,
    inspect,
    load_control,
    load_dit,
    load_text_encoder,
    load_vae,
    read_lora,
)
from zimage_core.config import ControlConfig, DiTConfig, TextConfig, VAEConfig
from zimage_core.model import S3DiT
from zimage_core.text import Qwen3
from zimage_core.vae import Autoencoder

TIMES = int(os.environ.get("ZIMAGE_FUZZ", "1"))
SECONDS = 10  # for one file of a few kilobytes, on a machine that does other things too
HEADROOM = 256 << 20  # bytes of address space over what the process has; the files are a ten-thousandth of it
DIT = DiTConfig(
    dim=16, n_layers=1, n_refiner_layers=1, n_heads=1, ffn_dim=32, cap_feat_dim=8, time_hidden_dim=16, adaln_dim=8
)
CONTROL = ControlConfig(
    dim=16,
    n_layers=2,
    n_refiner_layers=2,
    n_heads=1,
    ffn_dim=32,
    adaln_dim=8,
    in_channels=33,
    refiner="control_noise_refiner",
)
TEXT = TextConfig(vocab_size=32, dim=16, n_layers=2, n_heads=2, n_kv_heads=1, head_dim=16, ffn_dim=32)
VAE = VAEConfig(encoder_widths=(8, 8), decoder_widths=(8, 8), encoder_blocks=1, decoder_blocks=1, latent_channels=2)


@pytest.fixture(scope="module", autouse=True)
def little_memory():
    """No more address space than a small multiple of what the tests need: a lie believed is a failure at once."""
    for load, tensors in ((load_dit, dit()), (load_vae, vae()), (load_text_encoder, text())):
        load(tensors)  # everything imported, every thread started
    find(st.text(), lambda text: True)  # hypothesis' table of Unicode, which a fresh clone has not built yet
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (address_space() + HEADROOM, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def address_space():
    with open("/proc/self/statm") as opened:  # noqa: PTH123 - no path of a file
        return int(opened.read().split()[0]) * resource.getpagesize()


@pytest.fixture
def survive(tmp_path):
    """Give a file's bytes, or what a function makes in its place, to a reader: "read" or the refusal's sentence."""

    def stop(signum, frame):
        raise AssertionError(f"a file was read for more than {SECONDS} seconds")

    def call(content, read, name="model.safetensors"):
        file = tmp_path / name
        file.unlink(missing_ok=True)  # a map of the file before may still be open; its bytes must stay
        if callable(content):
            content(file)
        else:
            file.write_bytes(content)
        refusal(inspect, file)
        return refusal(read, file) or "read"

    before = signal.signal(signal.SIGALRM, stop)

    def timed(content, read, name="model.safetensors"):
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        try:
            return call(content, read, name)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    yield timed
    signal.signal(signal.SIGALRM, before)


def refusal(read, file):
    """The sentence a file is refused with, if it is; whatever else is raised fails the test."""
    try:
        read(file)
    except CheckpointError as error:
        check_sentence(str(error))
        return str(error)
    return ""


def check_sentence(sentence):
    assert sentence.isprintable()  # one line, no control characters, no half surrogates
    assert 20 < len(sentence) < 700
    assert ";" in sentence or ": " in sentence  # what is wrong; what to do


def dit():
    return tiny.fill(S3DiT(DIT)).state_dict()


def control():
    return CONTROL_PUBLISHED.to_file(tiny.fill(ControlNet(CONTROL)).state_dict())


def text():
    config = TextConfig(vocab_size=32, dim=16, n_layers=3, n_heads=2, n_kv_heads=1, head_dim=16, ffn_dim=32)
    return tiny.fill(Qwen3(config)).state_dict()


def vae():
    return tiny.fill(Autoencoder(VAE)).state_dict()


def lora():
    module = "transformer.layers.0.attention.to_q"
    return {
        f"{module}.lora_A.weight": torch.ones(2, 16),
        f"{module}.lora_B.weight": torch.ones(16, 2),
        f"{module}.alpha": torch.tensor(2.0),
        "diffusion_model.layers.0.feed_forward.w1.lokr_w1": torch.ones(2, 2),
        "diffusion_model.layers.0.feed_forward.w1.lokr_w2": torch.ones(16, 8),
        "lycoris_layers_0_attention_qkv.hada_w1_a": torch.ones(48, 2),
        "lycoris_layers_0_attention_qkv.hada_w1_b": torch.ones(2, 16),
        "lycoris_layers_0_attention_qkv.hada_w2_a": torch.ones(48, 2),
        "lycoris_layers_0_attention_qkv.hada_w2_b": torch.ones(2, 16),
        "layers.0.feed_forward.net.0.proj.lora_A.default.weight": torch.ones(2, 16),
        "layers.0.feed_forward.net.0.proj.lora_B.default.weight": torch.ones(64, 2),
        "diffusion_model.layers.0.attention.out.diff": torch.ones(16, 16),
        "diffusion_model.layers.0.attention.out.dora_scale": torch.ones(16, 1),
    }


def quantised(name):
    return quantized_files.quantize_state(
        dit(), quantized_files.block_linears(quantized_files.QUANTIZERS[name])
    ).tensors


KINDS = {
    "diffusion model": (dit, load_dit),
    "diffusers": (lambda: DIT_DIFFUSERS.to_file(dit()), load_dit),
    "fp8": (lambda: quantised("float8_e4m3fn"), load_dit),
    "int8": (lambda: quantised("int8_tensorwise with ConvRot"), load_dit),
    "nvfp4": (lambda: quantised("nvfp4"), load_dit),
    "mxfp8": (lambda: quantised("mxfp8"), load_dit),
    "old fp8": (lambda: quantized_files.legacy_scaled_fp8(dit(), torch.float8_e4m3fn).tensors, load_dit),
    "text encoder": (text, load_text_encoder),
    "autoencoder": (vae, load_vae),
    "lora": (lora, read_lora),
    "ControlNet": (control, load_control),
}


def drawn(count, seed):
    return (Random(seed * 1_000_003 + number) for number in range(count * TIMES))


def test_a_lie_believed_would_be_found_out():
    with pytest.raises(RuntimeError, match="allocate"):
        torch.empty(2 * HEADROOM, dtype=torch.uint8)


@pytest.mark.parametrize("kind", KINDS)
def test_files_of_other_tensors(survive, kind):
    """The header is sound, what it names is not: the layers below the header have to see it."""
    make, read = KINDS[kind]
    state = file_mutations.stored_state(make())
    said = Counter()
    for rng in drawn(60 if kind == "autoencoder" else 150, 1):
        changed = file_mutations.mutate_state(rng, state)
        said[survive(file_mutations.file_bytes(file_mutations.header_of(changed), changed), read) == "read"] += 1
    assert said[False] > 20  # most damage is seen, and the rest is harmless: an unused tensor, another number


@pytest.mark.parametrize("kind", KINDS)
def test_headers_that_lie(survive, kind):
    make, read = KINDS[kind]
    state = file_mutations.stored_state(make())
    header = file_mutations.header_of(state)
    for rng in drawn(150, 2):
        survive(file_mutations.file_bytes(file_mutations.mutate_header(rng, header), state), read)


@pytest.mark.parametrize("kind", ["diffusion model", "int8", "lora"])
def test_bytes_flipped_lost_and_doubled(survive, kind):
    make, read = KINDS[kind]
    state = file_mutations.stored_state(make())
    whole = file_mutations.file_bytes(file_mutations.header_of(state), state)
    front = 8 + int.from_bytes(whole[:8], "little")
    for rng in drawn(350, 3):
        survive(file_mutations.corrupt_bytes(rng, whole, front), read)


@pytest.fixture(scope="module")
def gguf_file(tmp_path_factory):
    pytest.importorskip("gguf")
    made = ggufs.make(dit(), lambda key: "Q8_0" if key.endswith("w2.weight") else "F16" if ".w" in key else "F32")
    shapes = {"x_pad_token": (1, 16)}
    file = ggufs.write(tmp_path_factory.mktemp("gguf") / "model.gguf", made.tensors, "lumina2", shapes)
    raw = file.read_bytes()
    load_dit(file)  # sound as it is
    return raw, file_mutations.end_of_tensor_infos(raw, list(made.tensors)[-1])


def test_ggufs_with_false_counts_lengths_types_and_offsets(survive, gguf_file):
    raw, end = gguf_file
    said = Counter(
        survive(file_mutations.mutate_gguf_numbers(rng, raw, end), load_dit, "m.gguf") == "read"
        for rng in drawn(900, 4)
    )
    assert said[False] > 500


def test_ggufs_with_bytes_flipped_lost_and_doubled(survive, gguf_file):
    raw, end = gguf_file
    for rng in drawn(500, 5):
        survive(file_mutations.corrupt_bytes(rng, raw, end), load_dit, "m.gguf")


def test_indexes_of_shards(survive, tmp_path):
    """The index may name anything; only files beside it are ever opened."""
    state = file_mutations.stored_state(dit())
    (tmp_path / "a.safetensors").write_bytes(file_mutations.file_bytes(file_mutations.header_of(state), state))
    names = ("a.safetensors", "b.safetensors", "../a.safetensors", "/etc/passwd", "..\\..\\a.safetensors", "a.ckpt", "")
    for rng in drawn(300, 6):
        keys = rng.sample(list(state), rng.randrange(1, 6))
        index = {"weight_map": {key: rng.choice((*names, *file_mutations.INVALID_VALUES)) for key in keys}}
        if rng.random() < 0.3:
            index = rng.choice(
                (
                    {"weight_map": rng.choice(file_mutations.INVALID_VALUES)},
                    rng.choice(file_mutations.INVALID_VALUES),
                    {"metadata": index},
                )
            )
        raw = json.dumps(index).encode("utf-8", errors="surrogatepass")
        content = file_mutations.corrupt_bytes(rng, raw) if rng.random() < 0.3 else raw
        survive(content, load_dit, "model.safetensors.index.json")


def socket_at(file):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(file.name)  # a whole path may be longer than a socket's name


SPECIAL = {
    "a folder": Path.mkdir,
    "a named pipe": os.mkfifo,
    "a socket": socket_at,
    "a device": lambda file: file.symlink_to("/dev/zero"),
    "a link that leads back to itself": lambda file: file.symlink_to(file.name),
    "a link to something that is not there": lambda file: file.symlink_to("nowhere"),
}
SECOND = "m-00002-of-00002.safetensors"


@pytest.mark.parametrize("read", [load_dit, load_text_encoder, load_vae, load_control, read_lora, inspect])
@pytest.mark.parametrize("kind", SPECIAL)
def test_what_has_a_file_s_name_but_is_none(survive, tmp_path, monkeypatch, kind, read):
    """Alone, as one shard among whole ones with and without an index, as the index, and alone in a folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("model.safetensors", "model.gguf", "model.safetensors.index.json"):
        said = survive(SPECIAL[kind], read, name)
        assert kind in said or (kind == "a folder" and "should hold one" in said), said
    shards = {"weight_map": {"a": "m-00001-of-00002.safetensors", "b": SECOND}}
    for index in (None, json.dumps(shards).encode(), SPECIAL[kind]):
        folder = tmp_path / str(index)[:9]
        folder.mkdir()
        monkeypatch.chdir(folder)
        state = file_mutations.stored_state({"a": torch.ones(2)})
        whole = folder / "m-00001-of-00002.safetensors"
        whole.write_bytes(file_mutations.file_bytes(file_mutations.header_of(state), state))
        if callable(index):
            index(folder / "m.safetensors.index.json")
            assert survive(whole.read_bytes(), read, f"{folder.name}/{whole.name}") != "read" or read is inspect
            continue
        if index:
            (folder / "m.safetensors.index.json").write_bytes(index)
            survive(SPECIAL[kind], read, f"{folder.name}/{SECOND}")
            said = survive(index, read, f"{folder.name}/m.safetensors.index.json")
        else:
            said = survive(SPECIAL[kind], read, f"{folder.name}/{SECOND}")
            read_whole = survive(whole.read_bytes(), read, f"{folder.name}/{whole.name}")
            assert kind in read_whole or read is inspect  # which tells of the one shard that is there
        assert kind in said or (kind == "a folder" and "should hold one" in said), said
    alone = tmp_path / "alone"
    alone.mkdir()
    monkeypatch.chdir(alone)
    SPECIAL[kind](alone / "model.safetensors")
    assert kind in survive(lambda file: file.symlink_to("alone"), read, "folder")


FEW = settings(max_examples=250 * TIMES, derandomize=True, database=None)
NESTED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
ENTRY = st.fixed_dictionaries({"dtype": NESTED, "shape": NESTED, "data_offsets": NESTED})


@pytest.fixture
def readers():
    return (load_dit, load_text_encoder, load_vae, read_lora)


@pytest.mark.parametrize("ending", ["safetensors", "gguf", "safetensors.index.json"])
def test_any_bytes_at_all(survive, readers, ending):
    front = {"gguf": b"GGUF\x03\0\0\0", "safetensors": b"\x20\0\0\0\0\0\0\0{"}.get(ending, b"{")

    @FEW
    @given(st.binary(max_size=80), st.booleans(), st.sampled_from(readers))
    def check(content, is_fronted, read):
        assert survive(front + content if is_fronted else content, read, f"model.{ending}") != "read"

    check()


def test_any_json_as_a_header(survive, readers):
    @FEW
    @given(st.dictionaries(st.text(max_size=12), NESTED | ENTRY, max_size=4), st.sampled_from(readers))
    def check(header, read):
        assert survive(file_mutations.file_bytes(header, {}), read) != "read"

    check()
