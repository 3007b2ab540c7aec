"""Reads and checks the header of a safetensors file, without its tensors.

The rules are those of the format (github.com/huggingface/safetensors, "Format"): eight bytes of length, that much JSON,
then the tensors one after the other without a gap. A file that passes here is one the library will read.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from .errors import CheckpointError
from .header import HEADER_LIMIT, Header, TensorEntry
from .json_object import is_size, parse_json
from .open_file import open_file

MAX_DIMS = 32  # more than any tensor has; bounds the work of multiplying a false shape
BITS = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 64),
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
}
OTHER_FORMATS = (  # files that are sometimes named .safetensors, by their first bytes
    (b"GGUF", "a GGUF file: give it the ending .gguf"),
    (b"PK\x03\x04", "a zipped pickle (.pt, .pth or .ckpt), which is never read: get it as .safetensors"),
    (b"\x80\x02", "a pickle (.pt, .pth or .ckpt), which is never read: get it as .safetensors"),
    (b"<", "a web page, so its download stopped early or asked for a login: download it again"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself: fetch the file with git lfs pull"),
)


def read_header(path: Path) -> Header:
    """The header of a safetensors file. The file may still be incomplete: see `Header.check_complete`."""
    with open_file(path) as opened:
        found = os.fstat(opened.fileno()).st_size
        first = opened.read(24)
        length = int.from_bytes(first[:8], "little")
        if found < 8 or length > min(found - 8, HEADER_LIMIT):
            raise CheckpointError(_not_safetensors(path.name, first, found))
        opened.seek(8)
        raw = opened.read(length)
    content = parse_json(raw, f"{path.name} has a damaged safetensors header")
    metadata = _metadata(content.pop("__metadata__", {}), path.name)
    tensors = {key: _entry(key, value, 8 + length, path.name) for key, value in content.items()}
    _check_gapless(tensors, 8 + length, path.name)
    _check_widths(tensors, found, path.name)
    expected = max((entry.end for entry in tensors.values()), default=8 + length)
    return Header(path.name, tensors, metadata, expected, found)


def _not_safetensors(name: str, first: bytes, found: int) -> str:
    for magic, what in OTHER_FORMATS:
        if first.startswith(magic):
            return f"{name} is not a safetensors file but {what}"
    return (
        f"{name} is not a safetensors file, or its download stopped early: {found:,} bytes were found; "
        "download it again"
    )


def _metadata(value: object, file: str) -> dict[str, str]:
    complaint = f"{file} has a damaged safetensors header (its __metadata__ is not text by name); download it again"
    if not isinstance(value, dict):
        raise CheckpointError(complaint)
    for key, text in value.items():
        if not isinstance(text, str) or not _is_text(key) or not _is_text(text):
            raise CheckpointError(complaint)
    return value


def _is_text(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _entry(key: str, value: object, data_start: int, file: str) -> TensorEntry:
    if not key.isprintable():
        raise CheckpointError(f"{file} has a tensor whose name is not text: {ascii(key)[:80]}; download it again")
    complaint = f"{file} describes its tensor {key[:80]} wrongly"
    if not isinstance(value, dict) or not value.keys() >= {"dtype", "shape", "data_offsets"}:
        raise CheckpointError(f"{complaint} (dtype, shape and data_offsets are needed); download it again")
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BITS:
        raise CheckpointError(f"{complaint} (its type is {ascii(dtype)[:40]}); get the file in a common format")
    if (
        not isinstance(shape, list)
        or len(shape) > MAX_DIMS
        or not all(map(is_size, shape))
        or max(shape, default=0) >> 63
    ):
        raise CheckpointError(f"{complaint} (its shape is {ascii(shape)[:40]}); download it again")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(map(is_size, offsets)):
        raise CheckpointError(f"{complaint} (its offsets are {ascii(offsets)[:40]}); download it again")
    entry = TensorEntry(dtype, tuple(shape), data_start + offsets[0], data_start + offsets[1])
    if entry.size * BITS[dtype] != 8 * (entry.end - entry.start):
        raise CheckpointError(
            f"{complaint} ({list(shape)} of {dtype} do not fill {offsets[1] - offsets[0]} bytes)"[:240]
            + "; download it again"
        )
    return entry


def _check_gapless(tensors: Mapping[str, TensorEntry], data_start: int, file: str) -> None:
    """Each tensor begins where the one before ends, so nothing overlaps and no bytes are hidden between tensors."""
    expected_start = data_start
    for key, entry in sorted(tensors.items(), key=lambda item: (item[1].start, item[1].end)):
        if entry.start != expected_start:
            raise CheckpointError(
                f"{file} has a gap or an overlap before its tensor {key[:80]} "
                f"(byte {entry.start:,}, not {expected_start:,}); download it again"
            )
        expected_start = entry.end


def _check_widths(tensors: Mapping[str, TensorEntry], found: int, file: str) -> None:
    """An empty tensor needs no bytes whatever its other sides are; refuse sides no file could hold."""
    for key, entry in tensors.items():
        if entry.size == 0 and any(width > found for width in entry.shape):
            raise CheckpointError(f"{file} describes its tensor {key[:80]} wrongly (no such shape); download it again")
