"""The bytes of a safetensors file, one tensor after another, so that nothing is in memory twice.

The format: eight bytes with the header's length, the header in JSON, then all tensors back to back. Larger types come
first, so that each tensor is aligned.
"""

import json
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

DTYPE_NAMES = {  # safetensors' own
    **{torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.bool: "BOOL"},
    **{torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2", torch.int8: "I8", torch.uint8: "U8"},
    **{torch.int64: "I64", torch.int32: "I32", torch.int16: "I16"},
}
ALIGNMENT = 8  # of the first tensor


def tensor_bytes(
    tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> Iterator[bytes | memoryview]:
    """The pieces of a file. Each tensor is copied only where it is not contiguous in RAM, and only while it is written.

    Raises KeyError for a type that such files have no name for.
    """
    names = sorted(tensors, key=lambda name: (-tensors[name].itemsize, name))
    header: dict[str, object] = {} if metadata is None else {"__metadata__": dict(metadata)}
    end = 0
    for name in names:
        tensor, start = tensors[name], end
        end += tensor.nbytes
        header[name] = {"dtype": DTYPE_NAMES[tensor.dtype], "shape": [*tensor.shape], "data_offsets": [start, end]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    yield len(text).to_bytes(8, "little")
    yield text
    for name in names:
        yield tensors[name].detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data
