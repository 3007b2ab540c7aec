"""What a safetensors file says about itself, read without touching a tensor.

The rules are those of the format (github.com/huggingface/safetensors, "Format"): eight bytes of length, that much JSON,
then the tensors one after the other without a gap. A file that passes here is one the library will read.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HEADER_LIMIT = 100_000_000  # bytes; safetensors' own limit
MAX_DIMS = 32  # more than any tensor has; keeps products of lying shapes short
BITS = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 64),
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
}
FOREIGN = (  # what stands under a safetensors name now and then, by its first bytes
    (b"GGUF", "a GGUF file: give it the ending .gguf"),
    (b"PK\x03\x04", "a zipped pickle (.pt, .pth or .ckpt), which is never read: get it as .safetensors"),
    (b"\x80\x02", "a pickle (.pt, .pth or .ckpt), which is never read: get it as .safetensors"),
    (b"<", "a web page, so its download stopped early or asked for a login: download it again"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself: fetch the file with git lfs pull"),
)


class CheckpointError(ValueError):
    """A file that cannot be used. The message says what is wrong, what was found and what to do, in one line."""


@dataclass(frozen=True)
class Entry:
    """One tensor of a file: how it is stored and between which bytes of the file."""

    dtype: str  # the format's own word, such as BF16 or Q4_K
    shape: tuple[int, ...]
    start: int = 0
    end: int = 0

    @property
    def size(self) -> int:
        """How many values it holds."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Header:
    """All tensors of one file, and how long the file should be."""

    file: str
    tensors: Mapping[str, Entry]
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    expected: int = 0  # bytes, by the header
    found: int = 0  # bytes, on disk

    def check_complete(self) -> None:
        """Refuse a file that is shorter than its own header says, which is what an interrupted download leaves."""
        if self.found < self.expected:
            raise CheckpointError(
                f"{self.file} is incomplete: {self.found:,} of {self.expected:,} bytes are there; download it again"
            )
        if self.found > self.expected:
            raise CheckpointError(
                f"{self.file} is {self.found - self.expected:,} bytes longer than its header says; download it again"
            )


def read_header(path: Path) -> Header:
    """The header of a safetensors file. Its tensors may still be missing: `Header.check_complete` tells."""
    found = path.stat().st_size
    with path.open("rb") as opened:
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


def parse_json(raw: bytes, complaint: str) -> dict[str, Any]:
    """A JSON object from a file nobody has checked; a `CheckpointError` says `complaint` and why."""
    try:
        # decoded here, because json.loads guesses at encodings and lets half surrogates pass
        content: object = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else one_line(error)
        raise CheckpointError(f"{complaint} ({why}); download it again") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{complaint} (it is not a JSON object); download it again")
    return content


def one_line(error: Exception) -> str:
    """What an exception says, short and printable."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:120]


def whole(value: object) -> bool:
    """Whether a JSON value is a whole number from 0; True and False are not, although Python counts with them."""
    return type(value) is int and value >= 0


def _not_safetensors(name: str, first: bytes, found: int) -> str:
    for magic, what in FOREIGN:
        if first.startswith(magic):
            return f"{name} is not a safetensors file but {what}"
    return (
        f"{name} is not a safetensors file, or its download stopped early: {found:,} bytes were found; "
        "download it again"
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("the same name stands twice in it")
    return content


def _no_number(constant: str) -> None:
    raise ValueError(f"{constant} is not a number")


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


def _entry(key: str, value: object, data_start: int, file: str) -> Entry:
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
        or not all(map(whole, shape))
        or max(shape, default=0) >> 63
    ):
        raise CheckpointError(f"{complaint} (its shape is {ascii(shape)[:40]}); download it again")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(map(whole, offsets)):
        raise CheckpointError(f"{complaint} (its offsets are {ascii(offsets)[:40]}); download it again")
    entry = Entry(dtype, tuple(shape), data_start + offsets[0], data_start + offsets[1])
    if entry.size * BITS[dtype] != 8 * (entry.end - entry.start):
        raise CheckpointError(
            f"{complaint} ({list(shape)} of {dtype} do not fill {offsets[1] - offsets[0]} bytes)"[:240]
            + "; download it again"
        )
    return entry


def _check_gapless(tensors: Mapping[str, Entry], data_start: int, file: str) -> None:
    """Each tensor begins where the one before ends: nothing overlaps, nothing is hidden between."""
    at = data_start
    for key, entry in sorted(tensors.items(), key=lambda item: (item[1].start, item[1].end)):
        if entry.start != at:
            raise CheckpointError(
                f"{file} has a gap or an overlap before its tensor {key[:80]} "
                f"(byte {entry.start:,}, not {at:,}); download it again"
            )
        at = entry.end


def _check_widths(tensors: Mapping[str, Entry], found: int, file: str) -> None:
    """An empty tensor may claim any width at no cost; nothing is built from such a claim."""
    for key, entry in tensors.items():
        if entry.size == 0 and any(width > found for width in entry.shape):
            raise CheckpointError(f"{file} describes its tensor {key[:80]} wrongly (no such shape); download it again")
