"""GGUF files of every block type, written and dequantized by the gguf library."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

PLAIN = ("F64", "F32", "F16", "I8", "I16", "I32", "I64")
BLOCKS = (  # what gguf 0.19 can dequantize
    *("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"),
    *("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ4_NL", "IQ4_XS"),
    *("TQ1_0", "TQ2_0", "MXFP4", "NVFP4"),
)
SCALE_OFFSETS = {  # byte offsets of the float16 scales in a block (ggml-common.h), to make random blocks finite
    **dict.fromkeys(("IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ1_S", "IQ4_NL", "IQ4_XS"), (0,)),
    **{"Q2_K": (80, 82), "Q3_K": (108,), "Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,)},
}


class Stored(NamedTuple):
    """One tensor's bytes and GGML type."""

    data: np.ndarray
    kind: str


class GgufTensors(NamedTuple):
    """Stored tensors of a file, and their dequantized float32 values."""

    tensors: dict[str, Stored]
    values: dict[str, Tensor]


def like_city96(large: str) -> Callable[[str], str]:
    """City96's rule: vectors stay float32; here also embedders and pad tokens, with rows shorter than a block."""
    inner = ("attention.", "feed_forward.", "attn_", "ffn_")
    return lambda key: large if any(part in key for part in inner) and "norm" not in key else "F32"


def make(state: Mapping[str, Tensor], kind_of: Callable[[str], str]) -> GgufTensors:
    """Quantize each tensor, or draw random blocks for types the library can only dequantize."""
    tensors: dict[str, Stored] = {}
    values: dict[str, Tensor] = {}
    for seed, (key, tensor) in enumerate(state.items()):
        kind = kind_of(key)
        tensors[key] = store(tensor, kind, seed)
        values[key] = value(tensors[key])
    return GgufTensors(tensors, values)


def store(tensor: Tensor, kind: str, seed: int) -> Stored:
    from gguf import GGMLQuantizationType
    from gguf.quants import quantize

    if kind in PLAIN:
        types = {"F": "float", "I": "int"}
        return Stored(tensor.float().numpy().astype(types[kind[0]] + kind[1:]), kind)
    try:
        return Stored(quantize(tensor.float().contiguous().numpy(), GGMLQuantizationType[kind]), kind)
    except NotImplementedError:
        return Stored(random_blocks(tuple(tensor.shape), kind, seed), kind)


def random_blocks(shape: tuple[int, ...], kind: str, seed: int) -> np.ndarray:
    """Random blocks with finite scales, because NaN values cannot be compared."""
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

    size, n_bytes = GGML_QUANT_SIZES[GGMLQuantizationType[kind]]
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (np.prod(shape) // size, n_bytes), dtype=np.uint8)
    for offset in SCALE_OFFSETS.get(kind, ()):
        blocks[:, offset : offset + 2] = rng.uniform(0.01, 0.1, (len(blocks), 1)).astype(np.float16).view(np.uint8)
    if kind == "IQ1_M":  # its scale is spread over the top four bits of four uint16
        blocks[:, 55] = blocks[:, 55] & 0x0F | 0x20
    if kind == "NVFP4":
        blocks[:, :4] = rng.integers(1, 0x7E, (len(blocks), 4), dtype=np.uint8)
    return blocks.reshape(*shape[:-1], -1)


def value(stored: Stored) -> Tensor:
    """Values dequantized by the gguf library."""
    from gguf import GGMLQuantizationType
    from gguf.quants import dequantize

    if stored.kind in PLAIN:
        return torch.from_numpy(stored.data.astype(np.float32))
    try:
        values = np.array(dequantize(stored.data, GGMLQuantizationType[stored.kind]))
    except NotImplementedError:  # Q8_1 and Q8_K are intermediate activation formats and cannot be dequantized
        return torch.empty(0)
    assert np.isfinite(values).all(), stored.kind
    return torch.from_numpy(values)


def write(
    file: Path,
    tensors: Mapping[str, Stored],
    architecture: str | None = None,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> Path:
    """Write a GGUF file of version 3."""
    from gguf import GGMLQuantizationType, GGUFWriter

    writer = GGUFWriter(file, architecture or "none")
    if architecture is None:
        del writer.kv_data[0]["general.architecture"]
    for name, shape in (shapes or {}).items():
        writer.add_array(f"comfy.gguf.orig_shape.{name}", list(shape))
    for name, stored in tensors.items():
        writer.add_tensor(name, stored.data, raw_dtype=GGMLQuantizationType[stored.kind])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def llama_cpp(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A text encoder's state dict under llama.cpp's names (model-spec, section 2.6); norms are renamed first."""
    renames = (
        ("model.embed_tokens", "token_embd"),
        ("model.norm", "output_norm"),
        ("model.layers.", "blk."),
        ("self_attn.q_norm", "attn_q_norm"),
        ("self_attn.k_norm", "attn_k_norm"),
        ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "ffn_norm"),
        *((f"self_attn.{name}_proj", f"attn_{name}") for name in "qkv"),
        ("self_attn.o_proj", "attn_output"),
        *((f"mlp.{name}_proj", f"ffn_{name}") for name in ("gate", "up", "down")),
    )
    renamed: dict[str, Tensor] = {}
    for key, tensor in state.items():
        for theirs, name in renames:
            key = key.replace(theirs, name)
        renamed[key] = tensor
    return renamed
