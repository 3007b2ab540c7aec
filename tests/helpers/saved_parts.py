"""Parts of a pipeline saved by ComfyUI's own nodes, and what to compare after they are loaded again."""

import importlib
from dataclasses import replace

import torch

import tiny
from zimage_core.config import TextConfig
from zimage_core.text import Qwen3

ENCODER = TextConfig(vocab_size=151936, dim=16, n_layers=4, n_heads=2, n_kv_heads=1, head_dim=16, ffn_dim=32)


def whole_encoder():
    """As published: every layer, and the final norm."""
    state = tiny.fill(Qwen3(replace(ENCODER, n_layers=ENCODER.n_layers + 1)), 3).state_dict()
    return {**state, "model.norm.weight": torch.ones(ENCODER.dim)}


def newest(folder):
    return str(max(folder.rglob("*.safetensors"), key=lambda file: file.stat().st_mtime_ns))


def save_node(name, **inputs):
    node = getattr(importlib.import_module("comfy_extras.nodes_model_merging"), name)()
    node.save(**inputs, filename_prefix="saved")


def embeddings(clip):
    return clip.encode_from_tokens(clip.tokenize("a red fox in the snow"))


def weights_of(network):
    return {key: value.clone() for key, value in network.state_dict().items()}


def bytes_of(tensor):
    return tensor.flatten().view(torch.uint8)


def same(found, expected):
    assert found.keys() == expected.keys()
    assert all(torch.equal(bytes_of(found[key]), bytes_of(expected[key])) for key in expected)
