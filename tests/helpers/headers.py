"""Header-only safetensors files, for models too large to write."""

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path

BYTES = {"F32": 4, "BF16": 2, "F16": 2, "F8_E4M3": 1, "I8": 1, "U8": 1}
Tensors = Mapping[str, tuple[int, ...] | tuple[str, tuple[int, ...]]]  # shape (bf16), or (dtype, shape)


def header(tensors: Tensors, metadata: Mapping[str, str] | None = None) -> tuple[bytes, int]:
    """The header bytes of a file, and the size the whole file would have."""
    content: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    offset = 0
    for key, spec in tensors.items():
        dtype, shape = spec if spec and isinstance(spec[0], str) else ("BF16", spec)
        end = offset + BYTES[str(dtype)] * prod(shape)
        content[key] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    raw = json.dumps(content).encode()
    return len(raw).to_bytes(8, "little") + raw, 8 + len(raw) + offset


def write(file: Path, tensors: Tensors, metadata: Mapping[str, str] | None = None) -> Path:
    """Write a file that ends after the header."""
    file.write_bytes(header(tensors, metadata)[0])
    return file
