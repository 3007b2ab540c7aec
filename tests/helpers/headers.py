"""Safetensors files of any model's tensors without the tensors: a header, and nothing behind it."""

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path

BYTES = {"F32": 4, "BF16": 2, "F16": 2, "F8_E4M3": 1, "I8": 1, "U8": 1}
Tensors = Mapping[str, tuple[int, ...] | tuple[str, tuple[int, ...]]]  # shapes, bf16 where no type is said


def header(tensors: Tensors, metadata: Mapping[str, str] | None = None) -> tuple[bytes, int]:
    """The first bytes of a file, and how long the whole file would be."""
    content: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    at = 0
    for key, told in tensors.items():
        dtype, shape = told if told and isinstance(told[0], str) else ("BF16", told)
        end = at + BYTES[str(dtype)] * prod(shape)
        content[key] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, end]}
        at = end
    raw = json.dumps(content).encode()
    return len(raw).to_bytes(8, "little") + raw, 8 + len(raw) + at


def write(file: Path, tensors: Tensors, metadata: Mapping[str, str] | None = None) -> Path:
    """A file that ends where its tensors would begin."""
    file.write_bytes(header(tensors, metadata)[0])
    return file
