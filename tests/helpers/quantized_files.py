"""Quantized state dicts in all of ComfyUI's formats, with their dequantized values (model-spec, section 2.5).

Everything is computed in the quantizing direction, while the code under test dequantizes.
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


class QuantizedLayer(NamedTuple):
    """One quantized weight: its tensors by key suffix, its `comfy_quant` settings, and its float32 values."""

    stored: State
    settings: dict[str, Any]
    values: Tensor


class QuantizedState(NamedTuple):
    """A quantized state dict, its safetensors metadata, and the dequantized values by unprefixed key."""

    tensors: State
    metadata: dict[str, str]
    values: State


Quantizer = Callable[[Tensor], QuantizedLayer]


def fp8(weight: Tensor, dtype: torch.dtype = torch.float8_e4m3fn) -> QuantizedLayer:
    scale = weight.abs().max() / torch.finfo(dtype).max
    stored = (weight / scale).to(dtype)
    name = str(dtype).removeprefix("torch.")
    return QuantizedLayer({"weight": stored, "weight_scale": scale}, {"format": name}, stored.float() * scale)


def fp8_e5m2(weight: Tensor) -> QuantizedLayer:
    return fp8(weight, torch.float8_e5m2)


def int8(weight: Tensor, dim: int | None = None) -> QuantizedLayer:
    """One scale per tensor, or per row with `dim` 1."""
    largest = weight.abs().max() if dim is None else weight.abs().amax(dim, keepdim=True)
    scale = largest / 127
    stored = (weight / scale).round().to(torch.int8)
    return QuantizedLayer(
        {"weight": stored, "weight_scale": scale}, {"format": "int8_tensorwise"}, stored.float() * scale
    )


def int8_rows(weight: Tensor) -> QuantizedLayer:
    return int8(weight, dim=1)


def hadamard(size: int) -> Tensor:
    """Kronecker power of a regular 4x4 Hadamard matrix: entry (i, j) is a product over the base-4 digits of i and j."""
    base = np.array([[1, 1, 1, -1], [1, 1, -1, 1], [1, -1, 1, 1], [-1, 1, 1, 1]], dtype=np.float64)
    index, entries, digits = np.arange(size), np.ones((size, size)), size.bit_length() // 2
    for digit in range(digits):
        position = index // 4**digit % 4
        entries *= base[position[:, None], position[None, :]]
    return torch.from_numpy(entries / size**0.5)


def convrot(weight: Tensor, group: int = 256) -> QuantizedLayer:
    """ConvRot: rotate groups of columns, then int8 per row; widths not divisible by the group size are not rotated."""
    rows, columns = weight.shape
    if columns % group:
        return int8_rows(weight)
    matrix = hadamard(group)
    rotated = (weight.double().view(rows, -1, group) @ matrix.T).view(rows, columns).float()
    plain = int8_rows(rotated)
    values = (plain.values.double().view(rows, -1, group) @ matrix.T).view(rows, columns)
    settings = {"format": "int8_tensorwise", "convrot": True, "convrot_groupsize": group}
    return QuantizedLayer(plain.stored, settings, values.float())


def convrot_16(weight: Tensor) -> QuantizedLayer:
    return convrot(weight, group=16)


def padded(weight: Tensor, multiple: int) -> Tensor:
    rows, columns = weight.shape
    return torch.nn.functional.pad(weight, (0, -columns % multiple, 0, -rows % multiple))


def swizzle(scales: Tensor) -> Tensor:
    """Block scales (rows, blocks) in the swizzled layout of the specification's formula."""
    rows, blocks = scales.shape
    tiles = -(-blocks // 4)
    row, block = np.arange(rows)[:, None], np.arange(blocks)[None, :]
    position = (row // 128 * tiles + block // 4) * 512 + row % 32 * 16 + row % 128 // 32 * 4 + block % 4
    flat = np.zeros(-(-rows // 128) * 128 * tiles * 4, dtype=np.uint8)
    flat[position] = scales.contiguous().view(torch.uint8).numpy()
    return torch.from_numpy(flat).view(-1, tiles * 4).view(scales.dtype)


def e2m1(code: int) -> float:
    """Value of an E2M1 code: a sign bit, two exponent bits, one mantissa bit."""
    exponent, mantissa = code >> 1 & 3, code & 1
    magnitude = mantissa / 2 if exponent == 0 else 2.0 ** (exponent - 1) * (1 + mantissa / 2)
    return -magnitude if code & 8 else magnitude


def nvfp4(weight: Tensor) -> QuantizedLayer:
    filled = padded(weight, 16)
    blocks = filled.view(len(filled), -1, 16)
    scale = weight.abs().max() / (448 * 6)
    block_scale = (blocks.abs().amax(2) / 6 / scale).to(torch.float8_e4m3fn)
    factor = (scale * block_scale.float())[..., None]
    table = torch.tensor([e2m1(code) for code in range(16)])
    codes = (blocks / factor.clamp(min=1e-30))[..., None].sub(table).abs().argmin(-1)
    values = (table[codes] * factor).view(filled.shape)[: len(weight), : weight.shape[1]]
    pairs = codes.view(len(filled), -1, 2)
    packed = (pairs[..., 0] * 16 + pairs[..., 1]).to(torch.uint8)  # even columns in the high nibble
    stored = {"weight": packed, "weight_scale": swizzle(block_scale), "weight_scale_2": scale}
    return QuantizedLayer(stored, {"format": "nvfp4"}, values)


def mxfp8(weight: Tensor) -> QuantizedLayer:
    filled = padded(weight, 32)
    blocks = filled.view(len(filled), -1, 32)
    exponents = (blocks.abs().amax(2).clamp(min=1e-30) / 448).log2().ceil().clamp(min=-127)
    stored = (blocks / 2.0 ** exponents[..., None]).to(torch.float8_e4m3fn)
    values = (stored.float() * 2.0 ** exponents[..., None]).view(filled.shape)[: len(weight), : weight.shape[1]]
    scales = swizzle((exponents + 127).to(torch.uint8)).view(torch.float8_e8m0fnu)
    return QuantizedLayer({"weight": stored.view(filled.shape), "weight_scale": scales}, {"format": "mxfp8"}, values)


QUANTIZERS: Mapping[str, Quantizer] = {
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


def quantize_state(
    state: Mapping[str, Tensor], choose: Callable[[str], Quantizer | None], *, markers: bool = True
) -> QuantizedState:
    """Quantize the weights for which `choose` returns a quantizer; settings go into marker tensors or the metadata."""
    tensors: State = {}
    values: State = dict(state)
    layer_settings: dict[str, dict[str, Any]] = {}
    for key, tensor in state.items():
        name = key.removesuffix(".weight")
        quantizer = choose(name) if key.endswith(".weight") else None
        if quantizer is None:
            tensors[key] = tensor
            continue
        layer = quantizer(tensor.float())
        layer_settings[name], values[key] = layer.settings, layer.values
        tensors |= {f"{name}.{leaf}": part for leaf, part in layer.stored.items()}
        if markers:
            tensors[f"{name}.comfy_quant"] = marker(layer.settings)
    metadata = (
        {} if markers else {"_quantization_metadata": json.dumps({"format_version": "1.0", "layers": layer_settings})}
    )
    return QuantizedState(tensors, metadata, values)


def block_linears(quantizer: Quantizer) -> Callable[[str], Quantizer | None]:
    """A `choose` that quantizes all attention and feed-forward matrices in one format."""
    return lambda name: quantizer if is_block_linear(name) else None


def marker(settings: Mapping[str, Any]) -> Tensor:
    return torch.tensor(list(json.dumps(settings).encode()), dtype=torch.uint8)


def legacy_scaled_fp8(
    state: Mapping[str, Tensor], dtype: torch.dtype, *, full_precision: bool = False
) -> QuantizedState:
    """ComfyUI's older scaled fp8: a top-level `scaled_fp8`; `scale_weight`, unused `scale_input` per weight."""
    made = quantize_state(state, block_linears(lambda weight: fp8(weight, dtype)))
    tensors = {key.replace("weight_scale", "scale_weight"): tensor for key, tensor in made.tensors.items()}
    tensors = {key: tensor for key, tensor in tensors.items() if not key.endswith("comfy_quant")}
    inputs = {key.replace("weight", "input"): torch.ones(()) for key in tensors if key.endswith("scale_weight")}
    return QuantizedState(
        {**tensors, **inputs, "scaled_fp8": torch.zeros(2 if full_precision else 0, dtype=dtype)}, {}, made.values
    )


def save(made: QuantizedState, file: Path) -> Path:
    save_file({key: tensor.contiguous() for key, tensor in made.tensors.items()}, file, metadata=made.metadata)
    return file
