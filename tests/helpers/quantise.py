"""Quantised files of every kind ComfyUI knows, and the values they hold by the specification (model-spec, section 2.5).

Everything is built from numbers to bytes, which is the way the code under test does not go.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

State = dict[str, Tensor]
BLOCK_LINEARS = ("attention.qkv", "attention.out", "feed_forward.w1", "feed_forward.w2", "feed_forward.w3")


class Layer(NamedTuple):
    """One quantised weight: its tensors by their last name, what its marker says, and its values in float32."""

    stored: State
    settings: dict[str, Any]
    values: Tensor


class Made(NamedTuple):
    """A quantised state dict, the header's text that belongs to it, and the values by plain name."""

    tensors: State
    metadata: dict[str, str]
    values: State


Maker = Callable[[Tensor], Layer]


def fp8(weight: Tensor, dtype: torch.dtype = torch.float8_e4m3fn) -> Layer:
    scale = weight.abs().max() / torch.finfo(dtype).max
    stored = (weight / scale).to(dtype)
    name = str(dtype).removeprefix("torch.")
    return Layer({"weight": stored, "weight_scale": scale}, {"format": name}, stored.float() * scale)


def fp8_e5m2(weight: Tensor) -> Layer:
    return fp8(weight, torch.float8_e5m2)


def int8(weight: Tensor, dim: int | None = None) -> Layer:
    """One scale for the matrix, or with `dim` 1 one for each row."""
    largest = weight.abs().max() if dim is None else weight.abs().amax(dim, keepdim=True)
    scale = largest / 127
    stored = (weight / scale).round().to(torch.int8)
    return Layer({"weight": stored, "weight_scale": scale}, {"format": "int8_tensorwise"}, stored.float() * scale)


def int8_rows(weight: Tensor) -> Layer:
    return int8(weight, dim=1)


def hadamard(size: int) -> Tensor:
    """Kronecker power of the regular 4x4 matrix: entry (i, j) is the product over the base-4 digits of i and j."""
    four = np.array([[1, 1, 1, -1], [1, 1, -1, 1], [1, -1, 1, 1], [-1, 1, 1, 1]], dtype=np.float64)
    index, entries, digits = np.arange(size), np.ones((size, size)), size.bit_length() // 2
    for digit in range(digits):
        place = index // 4**digit % 4
        entries *= four[place[:, None], place[None, :]]
    return torch.from_numpy(entries / size**0.5)


def convrot(weight: Tensor, group: int = 256) -> Layer:
    """Rotated in groups of columns, then int8 by rows; a width the groups do not divide stays as it is."""
    rows, columns = weight.shape
    if columns % group:
        return int8_rows(weight)
    matrix = hadamard(group)
    rotated = (weight.double().view(rows, -1, group) @ matrix.T).view(rows, columns).float()
    plain = int8_rows(rotated)
    values = (plain.values.double().view(rows, -1, group) @ matrix.T).view(rows, columns)
    settings = {"format": "int8_tensorwise", "convrot": True, "convrot_groupsize": group}
    return Layer(plain.stored, settings, values.float())


def convrot_16(weight: Tensor) -> Layer:
    return convrot(weight, group=16)


def padded(weight: Tensor, multiple: int) -> Tensor:
    rows, columns = weight.shape
    return torch.nn.functional.pad(weight, (0, -columns % multiple, 0, -rows % multiple))


def swizzle(scales: Tensor) -> Tensor:
    """Scales (rows, blocks) put where the specification's formula says."""
    rows, blocks = scales.shape
    tiles = -(-blocks // 4)
    row, block = np.arange(rows)[:, None], np.arange(blocks)[None, :]
    place = (row // 128 * tiles + block // 4) * 512 + row % 32 * 16 + row % 128 // 32 * 4 + block % 4
    flat = np.zeros(-(-rows // 128) * 128 * tiles * 4, dtype=np.uint8)
    flat[place] = scales.contiguous().view(torch.uint8).numpy()
    return torch.from_numpy(flat).view(-1, tiles * 4).view(scales.dtype)


def e2m1(code: int) -> float:
    """A sign, two bits of exponent and one of mantissa."""
    exponent, mantissa = code >> 1 & 3, code & 1
    size = mantissa / 2 if exponent == 0 else 2.0 ** (exponent - 1) * (1 + mantissa / 2)
    return -size if code & 8 else size


def nvfp4(weight: Tensor) -> Layer:
    filled = padded(weight, 16)
    blocks = filled.view(len(filled), -1, 16)
    scale = weight.abs().max() / (448 * 6)
    block_scale = (blocks.abs().amax(2) / 6 / scale).to(torch.float8_e4m3fn)
    factor = (scale * block_scale.float())[..., None]
    table = torch.tensor([e2m1(code) for code in range(16)])
    codes = (blocks / factor.clamp(min=1e-30))[..., None].sub(table).abs().argmin(-1)
    values = (table[codes] * factor).view(filled.shape)[: len(weight), : weight.shape[1]]
    pairs = codes.view(len(filled), -1, 2)
    packed = (pairs[..., 0] * 16 + pairs[..., 1]).to(torch.uint8)  # the even column in the high half
    stored = {"weight": packed, "weight_scale": swizzle(block_scale), "weight_scale_2": scale}
    return Layer(stored, {"format": "nvfp4"}, values)


def mxfp8(weight: Tensor) -> Layer:
    filled = padded(weight, 32)
    blocks = filled.view(len(filled), -1, 32)
    exponents = (blocks.abs().amax(2).clamp(min=1e-30) / 448).log2().ceil().clamp(min=-127)
    stored = (blocks / 2.0 ** exponents[..., None]).to(torch.float8_e4m3fn)
    values = (stored.float() * 2.0 ** exponents[..., None]).view(filled.shape)[: len(weight), : weight.shape[1]]
    scales = swizzle((exponents + 127).to(torch.uint8)).view(torch.float8_e8m0fnu)
    return Layer({"weight": stored.view(filled.shape), "weight_scale": scales}, {"format": "mxfp8"}, values)


MAKERS: Mapping[str, Maker] = {
    "float8_e4m3fn": fp8,
    "float8_e5m2": fp8_e5m2,
    "int8_tensorwise": int8,
    "int8_tensorwise by rows": int8_rows,
    "int8_tensorwise with ConvRot": convrot_16,
    "nvfp4": nvfp4,
    "mxfp8": mxfp8,
}


def is_block_linear(name: str) -> bool:
    return name.endswith(BLOCK_LINEARS)


def make(state: Mapping[str, Tensor], choose: Callable[[str], Maker | None], *, markers: bool = True) -> Made:
    """A state dict with the weights quantised that `choose` has a maker for, told by markers or by the header."""
    tensors: State = {}
    values: State = dict(state)
    told: dict[str, dict[str, Any]] = {}
    for key, tensor in state.items():
        name = key.removesuffix(".weight")
        maker = choose(name) if key.endswith(".weight") else None
        if maker is None:
            tensors[key] = tensor
            continue
        layer = maker(tensor.float())
        told[name], values[key] = layer.settings, layer.values
        tensors |= {f"{name}.{leaf}": part for leaf, part in layer.stored.items()}
        if markers:
            tensors[f"{name}.comfy_quant"] = marker(layer.settings)
    metadata = {} if markers else {"_quantization_metadata": json.dumps({"format_version": "1.0", "layers": told})}
    return Made(tensors, metadata, values)


def uniform(maker: Maker) -> Callable[[str], Maker | None]:
    """Every large matrix inside the blocks in one format."""
    return lambda name: maker if is_block_linear(name) else None


def marker(settings: Mapping[str, Any]) -> Tensor:
    return torch.tensor(list(json.dumps(settings).encode()), dtype=torch.uint8)


def old_scaled(state: Mapping[str, Tensor], dtype: torch.dtype, *, full_precision: bool = False) -> Made:
    """The older scaled fp8: `scaled_fp8` at the top, `scale_weight` and an idle `scale_input` beside each weight."""
    made = make(state, uniform(lambda weight: fp8(weight, dtype)))
    tensors = {key.replace("weight_scale", "scale_weight"): tensor for key, tensor in made.tensors.items()}
    tensors = {key: tensor for key, tensor in tensors.items() if not key.endswith("comfy_quant")}
    inputs = {key.replace("weight", "input"): torch.ones(()) for key in tensors if key.endswith("scale_weight")}
    return Made(
        {**tensors, **inputs, "scaled_fp8": torch.zeros(2 if full_precision else 0, dtype=dtype)}, {}, made.values
    )


def save(made: Made, file: Path) -> Path:
    save_file({key: tensor.contiguous() for key, tensor in made.tensors.items()}, file, metadata=made.metadata)
    return file
