"""Reads and checks the header of a GGUF file, without its tensors and without the gguf library.

The format is that of ggml's docs/gguf.md, versions 2 and 3. Every count and length is checked against what is left of
the file before it is used, because the library checks none.
"""

import mmap
import struct
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from .errors import CheckpointError
from .header import HEADER_LIMIT, Header, TensorEntry
from .open_file import check_regular, open_file

Value = (
    str | int | float | bool | list[int] | None
)  # None: an array that is long or not of integers, which nothing needs

# ggml's types by number: name, values in a block, bytes of a block (ggml.h, enum ggml_type; ggml-common.h, block_*).
TYPES: Mapping[int, tuple[str, int, int]] = MappingProxyType(
    {
        0: ("F32", 1, 4),
        1: ("F16", 1, 2),
        2: ("Q4_0", 32, 18),
        3: ("Q4_1", 32, 20),
        6: ("Q5_0", 32, 22),
        7: ("Q5_1", 32, 24),
        8: ("Q8_0", 32, 34),
        9: ("Q8_1", 32, 40),
        10: ("Q2_K", 256, 84),
        11: ("Q3_K", 256, 110),
        12: ("Q4_K", 256, 144),
        13: ("Q5_K", 256, 176),
        14: ("Q6_K", 256, 210),
        15: ("Q8_K", 256, 292),
        16: ("IQ2_XXS", 256, 66),
        17: ("IQ2_XS", 256, 74),
        18: ("IQ3_XXS", 256, 98),
        19: ("IQ1_S", 256, 50),
        20: ("IQ4_NL", 32, 18),
        21: ("IQ3_S", 256, 110),
        22: ("IQ2_S", 256, 82),
        23: ("IQ4_XS", 256, 136),
        24: ("I8", 1, 1),
        25: ("I16", 1, 2),
        26: ("I32", 1, 4),
        27: ("I64", 1, 8),
        28: ("F64", 1, 8),
        29: ("IQ1_M", 256, 56),
        30: ("BF16", 1, 2),
        34: ("TQ1_0", 256, 54),
        35: ("TQ2_0", 256, 66),
        39: ("MXFP4", 32, 17),
        40: ("NVFP4", 64, 36),
        41: ("Q1_0", 128, 18),
    }
)
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}  # value types
STRING, ARRAY = 8, 9
MAX_DIMS, MAX_NESTING = 4, 4
ARCHITECTURE, ALIGNMENT = "general.architecture", "general.alignment"
SHAPE_KEY = "comfy.gguf.orig_shape."  # city96's array of the shape a tensor had before it was flattened for its blocks
MAX_ARRAY = 16  # integers; shapes are short, longer arrays (vocabularies) are skipped


class Cursor:
    """Reads forward through a file's first bytes and never past its end."""

    def __init__(self, data: mmap.mmap, file: str) -> None:
        self.data, self.file, self.at = data, file, 0
        self.end = min(len(data), HEADER_LIMIT)

    def skip(self, n: int) -> int:
        """Where the next `n` bytes begin."""
        if n > self.end - self.at:
            raise CheckpointError(
                f"{self.file} has a damaged GGUF header (at byte {self.at:,} it asks for {n:,} more of "
                f"{self.end - self.at:,}), or its download stopped early; download it again"
            )
        self.at += n
        return self.at - n

    def scalar(self, code: str) -> int | float | bool:
        """One little-endian number; `code` is struct's letter."""
        size = struct.calcsize(code)
        return struct.unpack_from("<" + code, self.data, self.skip(size))[0]

    def count(self, each: int) -> int:
        """A number of things that take at least `each` bytes."""
        n = int(self.scalar("Q"))
        if n * each > self.end - self.at:
            raise CheckpointError(
                f"{self.file} has a damaged GGUF header ({n:,} entries at byte {self.at:,} do not fit); "
                "download it again"
            )
        return n

    def text(self) -> str:
        """A length and so many bytes of UTF-8."""
        length = self.count(1)
        start = self.skip(length)
        return self.data[start : start + length].decode("utf-8", errors="replace")


def read_gguf_header(path: Path) -> Header:
    """The header of a GGUF file, shapes in PyTorch's order. The file may still be incomplete."""
    check_regular(path)
    found = path.stat().st_size
    if found < 24:
        raise CheckpointError(f"{path.name} is too short for a GGUF file ({found:,} bytes); download it again")
    with open_file(path) as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
        cursor = Cursor(data, path.name)
        magic, version = data[cursor.skip(4) : 4], int(cursor.scalar("I"))
        if magic != b"GGUF":
            raise CheckpointError(f"{path.name} is not a GGUF file, or its download stopped early; download it again")
        if version not in (2, 3):
            raise CheckpointError(
                f"{path.name} is GGUF of version {version}; versions 2 and 3 are read, get one of those"
            )
        n_tensors, n_values = cursor.count(24), cursor.count(12)
        values = _values(cursor, n_values)
        entries = _entries(cursor, n_tensors)
    return _header(path.name, entries, values, cursor.at, found)


def _values(cursor: Cursor, n: int) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for _ in range(n):
        key = cursor.text()
        values[key] = _value(cursor, int(cursor.scalar("I")), MAX_NESTING)
    return values


def _value(cursor: Cursor, kind: int, nesting: int) -> Value:
    if kind in SCALARS:
        return cursor.scalar(SCALARS[kind])
    if kind == STRING:
        return cursor.text()
    if kind != ARRAY or not nesting:
        raise CheckpointError(
            f"{cursor.file} has a damaged GGUF header (no value of type {kind} can stand at byte {cursor.at:,}); "
            "download it again"
        )
    kind = int(cursor.scalar("I"))
    if kind in SCALARS:
        return _integers(cursor, SCALARS[kind])
    for _ in range(cursor.count(8)):
        _value(cursor, kind, nesting - 1)
    return None


def _integers(cursor: Cursor, code: str) -> list[int] | None:
    size = struct.calcsize(code)
    n = cursor.count(size)
    start = cursor.skip(n * size)
    if n > MAX_ARRAY or code in "fd?":
        return None
    return list(struct.unpack_from(f"<{n}{code}", cursor.data, start))


def _entries(cursor: Cursor, n: int) -> list[tuple[str, TensorEntry]]:
    """Name and entry of each tensor, with offsets from the start of the tensor data."""
    entries: list[tuple[str, TensorEntry]] = []
    for _ in range(n):
        name = cursor.text()
        n_dims = int(cursor.scalar("I"))
        complaint = f"{cursor.file} describes its tensor {ascii(name)[:80]} wrongly"
        if n_dims > MAX_DIMS or not name.isprintable():
            raise CheckpointError(f"{complaint} ({n_dims} dimensions); download it again")
        shape = tuple(int(cursor.scalar("Q")) for _ in range(n_dims))[::-1]  # ggml lists the innermost dimension first
        kind, offset = int(cursor.scalar("I")), int(cursor.scalar("Q"))
        if kind not in TYPES:
            raise CheckpointError(f"{complaint} (type {kind} is unknown); get a GGUF of a common type such as Q8_0")
        dtype, block, n_bytes = TYPES[kind]
        entry = TensorEntry(dtype, shape)
        if entry.size == 0 or max(shape, default=0) >> 40 or (shape[-1] if shape else 1) % block:
            raise CheckpointError(f"{complaint} ({list(shape)} is no shape for {dtype}); download it again")
        entries.append((name, TensorEntry(dtype, shape, offset, offset + entry.size // block * n_bytes)))
    return entries


def _header(file: str, entries: list[tuple[str, TensorEntry]], values: dict[str, Value], at: int, found: int) -> Header:
    """The header, with offsets from the file's start and the shapes tensors had before they were flattened."""
    alignment = values.get(ALIGNMENT, 32)
    if type(alignment) is not int or not 1 <= alignment <= 1 << 20 or alignment & (alignment - 1):
        raise CheckpointError(
            f"{file} has a damaged GGUF header (alignment {ascii(alignment)[:20]}); download it again"
        )
    begin = -(-at // alignment) * alignment
    tensors = {name: _absolute(file, name, entry, values, begin, alignment) for name, entry in entries}
    if len(tensors) < len(entries):
        raise CheckpointError(f"{file} has two tensors of the same name; download it again")
    _check_no_overlap(file, tensors)
    expected = max((entry.end for entry in tensors.values()), default=at)
    metadata = {key: value for key, value in values.items() if isinstance(value, str)}
    return Header(file, tensors, {**metadata, "format": "gguf"}, expected, min(found, expected))


def _absolute(
    file: str, name: str, entry: TensorEntry, values: Mapping[str, Value], begin: int, alignment: int
) -> TensorEntry:
    shape = values.get(SHAPE_KEY + name)
    if entry.start % alignment:
        raise CheckpointError(
            f"{file} has its tensor {name[:80]} between two places (byte {entry.start:,}); download it again"
        )
    logical = TensorEntry(entry.dtype, tuple(shape) if isinstance(shape, list) else entry.shape)
    if logical.size != entry.size or min(logical.shape, default=1) < 1:
        raise CheckpointError(
            f"{file} describes its tensor {name[:80]} wrongly "
            f"({entry.size:,} values cannot have the shape {list(logical.shape)}); download it again"
        )
    return TensorEntry(entry.dtype, logical.shape, begin + entry.start, begin + entry.end)


def _check_no_overlap(file: str, tensors: Mapping[str, TensorEntry]) -> None:
    previous_end: int = 0
    for name, entry in sorted(tensors.items(), key=lambda item: item[1].start):
        if entry.start < previous_end:
            raise CheckpointError(f"{file} has tensors that overlap before {name[:80]}; download it again")
        previous_end = entry.end
