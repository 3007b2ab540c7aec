"""Loading needs the memory of the finished network and at most a tenth more, counted in bytes of live tensors."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

import ggufs
import quantized_files
import tiny
from memory import peak_bytes
from zimage_core.checkpoints import DIT_DIFFUSERS, load_dit
from zimage_core.model import S3DiT

# One of 22 blocks is in work at a time; the released model has 34.
CONFIG = replace(tiny.DIT, dim=128, ffn_dim=256, n_layers=18, time_hidden_dim=64)


@pytest.fixture(scope="module")
def state():
    return {key: tensor.bfloat16() for key, tensor in tiny.fill(S3DiT(CONFIG)).state_dict().items()}


def network_bytes(state, dtype=torch.bfloat16):
    return sum(tensor.numel() for tensor in state.values()) * dtype.itemsize


def save(state, file):
    save_file(state, file)
    return file


def check(file, network, dtype=None):
    """Tensors in the file's map count too, so the whole network is the least there can be."""
    found = peak_bytes(lambda: load_dit(file, dtype))
    assert 0.9 * network < found < 1.1 * network


def test_a_file_of_its_own_type_costs_its_own_size(state, tmp_path):
    file = save(state, tmp_path / "bf16.safetensors")
    check(file, file.stat().st_size)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_another_type_costs_the_new_network_and_a_tenth(state, tmp_path, dtype):
    check(save(state, tmp_path / "bf16.safetensors"), network_bytes(state, dtype), dtype)


@pytest.mark.slow
def test_stacking_queries_keys_and_values_needs_no_second_copy(state, tmp_path):
    file = save(DIT_DIFFUSERS.to_file(state), tmp_path / "diffusers.safetensors")
    check(file, file.stat().st_size)


@pytest.mark.slow
@pytest.mark.parametrize("name", quantized_files.QUANTIZERS)
def test_a_quantised_file_costs_the_unpacked_network_and_a_tenth(state, tmp_path, name):
    made = quantized_files.quantize_state(state, quantized_files.block_linears(quantized_files.QUANTIZERS[name]))
    check(quantized_files.save(made, tmp_path / "quantised.safetensors"), network_bytes(state))


@pytest.mark.slow
@pytest.mark.parametrize("large", ["Q8_0", "Q4_0"])
def test_a_gguf_costs_the_unpacked_network_and_a_tenth(state, tmp_path, large):
    pytest.importorskip("gguf")
    made = ggufs.make(state, ggufs.like_city96(large))
    check(ggufs.write(tmp_path / "model.gguf", made.tensors), network_bytes(state))


def test_a_loader_that_reads_everything_first_would_be_found_out(state, tmp_path):
    """The measure itself: all tensors cast at once, as a simple loader does it, need the file and the network."""
    file = save(state, tmp_path / "bf16.safetensors")
    simple = peak_bytes(lambda: [tensor.float() for tensor in [read.clone() for read in load_file(file).values()]])
    assert simple > 1.4 * network_bytes(state, torch.float32)
