"""A safetensors file written tensor by tensor, so that what it holds is never in memory as a whole.

The format (github.com/huggingface/safetensors, "Format"): eight bytes of length, that much JSON, then the tensors
without a gap. Wider types come first, which keeps every tensor at a multiple of its type's width.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import torch
from torch import Tensor

from ...atomic_file import write_atomically
from .dtypes import DTYPE_NAMES

ALIGNMENT = 8  # bytes, to which the header is filled with spaces


class Slot(NamedTuple):
    """What a tensor of the file will be."""

    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def n_bytes(self) -> int:
        return self.dtype.itemsize * torch.Size(self.shape).numel()


def write_streamed(
    file: Path, slots: Mapping[str, Slot], tensor_of: Callable[[str], Tensor], metadata: Mapping[str, str]
) -> None:
    """Write the tensors that `tensor_of` gives by name, each asked for once; on any exception nothing is left."""
    ordered = dict(sorted(slots.items(), key=lambda item: -item[1].dtype.itemsize))

    def write(opened: BinaryIO) -> None:
        opened.write(_header(ordered, metadata))
        for name, slot in ordered.items():
            tensor = tensor_of(name)
            if (tensor.dtype, tuple(tensor.shape)) != slot:
                raise ValueError(f"{name} is {tensor.dtype} of shape {list(tensor.shape)}, announced as {slot}")
            opened.write(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)

    write_atomically(file, write)


def _header(slots: Mapping[str, Slot], metadata: Mapping[str, str]) -> bytes:
    """The length and the JSON before the tensors."""
    content: dict[str, Any] = {"__metadata__": dict(metadata)}
    start = 0
    for name, slot in slots.items():
        end = start + slot.n_bytes
        content[name] = {"dtype": DTYPE_NAMES[slot.dtype], "shape": list(slot.shape), "data_offsets": [start, end]}
        start = end
    raw = json.dumps(content, separators=(",", ":")).encode()
    raw += b" " * (-len(raw) % ALIGNMENT)
    return len(raw).to_bytes(8, "little") + raw
