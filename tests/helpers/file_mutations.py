"""Seeded random mutations of safetensors and GGUF files, for reproducible fuzz tests."""

import json
from collections.abc import Mapping
from math import prod
from random import Random
from typing import Any, NamedTuple

import torch
from torch import Tensor

DTYPE_NAMES = {
    **{torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int8: "I8", torch.uint8: "U8"},
    **{torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2", torch.float8_e8m0fnu: "F8_E8M0"},
}
DTYPE_BYTES = {
    "F64": 8,
    "F32": 4,
    "F16": 2,
    "BF16": 2,
    "I8": 1,
    "U8": 1,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
    "F8_E8M0": 1,
    "I64": 8,
}
EDGE_NUMBERS = (0, 1, 2, 3, 16, 255, 2**31 - 1, 2**31, 2**32, 2**40, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1)
INVALID_VALUES: tuple[Any, ...] = (
    *EDGE_NUMBERS,
    *(-1, 2**64, 10**40, 1.5, float("nan"), float("inf"), True, None),
    *("", "x", "F32", "I8", "F4", "U64", "\ud800", "\x00\n", "é" * 50, [], [[]], {}, [0, 1], [1, -1], [2**40, 2**40]),
)
LEAVES = ("weight", "weight_scale", "weight_scale_2", "comfy_quant", "input_scale", "pre_quant_scale", "scale_weight")
FORMATS = ("float8_e4m3fn", "float8_e5m2", "int8_tensorwise", "nvfp4", "mxfp8", "convrot_w4a4", "fp3", 7, None)


class Stored(NamedTuple):
    """One tensor as stored in a file."""

    dtype: str
    shape: tuple[int, ...]
    raw: bytes


State = dict[str, Stored]


def stored_state(tensors: Mapping[str, Tensor]) -> State:
    return {
        key: Stored(
            DTYPE_NAMES[value.dtype],
            tuple(value.shape),
            value.contiguous().view(-1).view(torch.uint8).numpy().tobytes(),
        )
        for key, value in tensors.items()
    }


def header_of(state: State, metadata: Mapping[str, Any] | None = None) -> dict[str, Any]:
    header: dict[str, Any] = {} if metadata is None else {"__metadata__": dict(metadata)}
    offset = 0
    for key, value in state.items():
        header[key] = {
            "dtype": value.dtype,
            "shape": list(value.shape),
            "data_offsets": [offset, offset + len(value.raw)],
        }
        offset += len(value.raw)
    return header


def file_bytes(header: Mapping[str, Any] | bytes, state: State) -> bytes:
    """A safetensors file from a header (valid or not) and the tensors' bytes."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode("utf-8", errors="surrogatepass")
    return len(raw).to_bytes(8, "little") + raw + b"".join(value.raw for value in state.values())


def random_tensor(rng: Random, like: Stored) -> Stored:
    """A valid tensor of another dtype or shape, with random or zero bytes."""
    dtype = rng.choice([*DTYPE_BYTES, like.dtype, like.dtype])
    shape = list(like.shape)
    match rng.randrange(6):
        case 0:
            shape = [rng.randrange(4) for _ in range(rng.randrange(4))]
        case 1 if shape:
            shape[rng.randrange(len(shape))] = rng.choice((0, 1, 2, 5, 16, 31, 33))
        case 2:
            shape.reverse()
        case 3:
            shape = [*shape, 1]
        case 4:
            shape = [prod(shape)]
        case _:
            pass
    size = prod(shape) * DTYPE_BYTES[dtype]
    return Stored(dtype, tuple(shape), bytes(size) if rng.random() < 0.5 else rng.randbytes(size))


def random_marker(rng: Random) -> Stored:
    """A `comfy_quant` marker of a quantized layer, valid or not."""
    settings: Any = {"format": rng.choice(FORMATS)}
    if rng.random() < 0.5:
        settings |= {"convrot": rng.choice((True, 1, "yes")), "convrot_groupsize": rng.choice(INVALID_VALUES)}
    if rng.random() < 0.2:
        settings = rng.choice((settings["format"], [settings], {"params": settings, **settings}, {}))
    raw = json.dumps(settings).encode("utf-8", errors="surrogatepass")
    raw = raw if rng.random() < 0.8 else corrupt_bytes(rng, raw)
    return Stored("U8", (len(raw),), raw)


def mutate_state(rng: Random, state: State) -> State:
    """The tensors with some removed, renamed, changed or added; the file stays valid."""
    state = dict(state)
    for _ in range(rng.randint(1, 3)):
        key = rng.choice(list(state)) if state else "weight"
        layer = key.rpartition(".")[0]
        match rng.randrange(6):
            case 0:
                state.pop(key, None)
            case 1 if key in state:
                names = (key.replace("0", rng.choice(("1", "7", "99999999999999999999"))), "model." + key, key[1:], "é")
                state[rng.choice(names)] = state.pop(key)
            case 2:
                state[f"{layer}.comfy_quant"] = random_marker(rng)
            case 3:
                state[f"{layer}.{rng.choice(LEAVES)}"] = random_tensor(rng, Stored("F32", (), b""))
            case _ if key in state:
                state[key] = random_tensor(rng, state[key])
            case _:
                state["scaled_fp8"] = random_tensor(rng, Stored("F8_E4M3", (2,), b""))
    return state


def mutate_header(rng: Random, header: dict[str, Any]) -> bytes:
    """A header with invalid entries, or invalid JSON."""
    header = json.loads(json.dumps(header))
    for _ in range(rng.randint(1, 3)):
        key = rng.choice([name for name in header if name != "__metadata__"])
        entry = header[key]
        field = rng.choice(("dtype", "shape", "data_offsets"))
        match rng.randrange(7):
            case 0 if isinstance(entry, dict):
                entry[field] = rng.choice(INVALID_VALUES)
            case 1 | 2 if isinstance(entry, dict) and isinstance(entry.get(field), list) and entry[field]:
                entry[field][rng.randrange(len(entry[field]))] = rng.choice(INVALID_VALUES)
            case 3:
                header[key] = rng.choice(INVALID_VALUES)
            case 4:
                header["__metadata__"] = rng.choice(
                    (*INVALID_VALUES, {"a": 1}, {"_quantization_metadata": rng.choice(INVALID_VALUES)})
                )
            case 5:
                header["__metadata__"] = {"_quantization_metadata": json.dumps({"layers": rng.choice(INVALID_VALUES)})}
            case _:
                header[rng.choice(("", "é\n", "x" * 300, "__metadata__", "layers.0.\ud800"))] = rng.choice(
                    INVALID_VALUES
                )
    text = json.dumps(header)
    match rng.randrange(12):
        case 0:
            text = text[:-1] + ", " + text[1:]  # duplicate keys
        case 1:
            depth = rng.choice((10, 1000, 100_000))
            text = '{"x": ' + "[" * depth + "]" * rng.choice((0, depth)) + "}"
        case 2:
            text = text.replace("1", rng.choice(("01", "1e5", "1" * 5000, "1.0", "-1")), 1)
        case _:
            pass
    return text.encode("utf-8", errors="surrogatepass")


def corrupt_bytes(rng: Random, raw: bytes, within: int | None = None) -> bytes:
    """Bytes flipped, overwritten, deleted, duplicated or truncated, within the first `within` bytes if given."""
    data = bytearray(raw)
    for _ in range(rng.randint(1, 4)):
        end = min(len(data), within or len(data))
        if not end:
            break
        offset = rng.randrange(end)
        match rng.randrange(6):
            case 0:
                data[offset] ^= 1 << rng.randrange(8)
            case 1:
                data[offset : offset + 8] = rng.choice(EDGE_NUMBERS).to_bytes(8, "little")
            case 2:
                data[offset : offset + 4] = (rng.choice(EDGE_NUMBERS) & 0xFFFFFFFF).to_bytes(4, "little")
            case 3:
                del data[offset : offset + rng.randint(1, 40)]
            case 4:
                data[offset:offset] = data[offset : offset + rng.randint(1, 40)]
            case _:
                del data[offset + rng.randrange(max(1, len(data) - offset)) :]
    return bytes(data)


def mutate_gguf_numbers(rng: Random, raw: bytes, end: int) -> bytes:
    """A GGUF file with a count, a length, a dimension, a type or an offset overwritten."""
    data = bytearray(raw)
    for _ in range(rng.randint(1, 2)):
        offset = rng.choice((4, 8, 16, rng.randrange(24, end)))
        size = 4 if offset == 4 else rng.choice((4, 8))
        number = rng.choice((*EDGE_NUMBERS, rng.randrange(64)))
        data[offset : offset + size] = (number & (256**size - 1)).to_bytes(size, "little")
    return bytes(data)


def end_of_tensor_infos(raw: bytes, last: str) -> int:
    """Approximate end offset of a GGUF file's tensor infos."""
    return min(len(raw), raw.rindex(last.encode()) + len(last) + 40)
