"""The bytes of a safetensors file, one tensor after another, so that what it holds is never in memory as a whole.

The format (github.com/huggingface/safetensors, "Format"): eight bytes of length, that much JSON, then the tensors
without a gap. Wider types come first, which keeps every tensor at a multiple of its type's width.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

DTYPE_NAMES = {  # safetensors' own
    **{torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.bool: "BOOL"},
    **{torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2", torch.int8: "I8", torch.uint8: "U8"},
    **{torch.int64: "I64", torch.int32: "I32", torch.int16: "I16"},
}
ALIGNMENT = 8  # bytes, to which the header is filled with spaces


class Slot(NamedTuple):
    """What a tensor of the file will be."""

    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def n_bytes(self) -> int:
        return self.dtype.itemsize * torch.Size(self.shape).numel()


def tensor_bytes(
    slots: Mapping[str, Slot], tensor_of: Callable[[str], Tensor], metadata: Mapping[str, str] | None = None
) -> Iterator[bytes | memoryview]:
    """The pieces of a file of the tensors that `tensor_of` gives by name, each asked for once.

    A tensor is copied only where it is not contiguous in RAM, and only while it is written. Raises ValueError for one
    that is not as announced, KeyError for a type that such files have no name for.
    """
    ordered = dict(sorted(slots.items(), key=lambda item: (-item[1].dtype.itemsize, item[0])))
    yield _header(ordered, metadata)
    for name, slot in ordered.items():
        tensor = tensor_of(name)
        if (tensor.dtype, tuple(tensor.shape)) != slot:
            raise ValueError(f"{name} is {tensor.dtype} of shape {list(tensor.shape)}, announced as {slot}")
        yield tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data


def _header(slots: Mapping[str, Slot], metadata: Mapping[str, str] | None) -> bytes:
    """The length and the JSON before the tensors."""
    content: dict[str, object] = {} if metadata is None else {"__metadata__": dict(metadata)}
    start = 0
    for name, slot in slots.items():
        end = start + slot.n_bytes
        content[name] = {"dtype": DTYPE_NAMES[slot.dtype], "shape": list(slot.shape), "data_offsets": [start, end]}
        start = end
    raw = json.dumps(content, separators=(",", ":")).encode()
    raw += b" " * (-len(raw) % ALIGNMENT)
    return len(raw).to_bytes(8, "little") + raw
