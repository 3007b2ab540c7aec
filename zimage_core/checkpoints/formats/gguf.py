"""GGUF files as tensors: plain ones memory-mapped, quantized blocks as packed weights.

The gguf library is needed only to dequantize ggml's blocks; headers are read without it.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .errors import CheckpointError
from .gguf_header import TYPES, read_gguf_header
from .header import TensorEntry
from .packed import PackedWeight, Stored, StoredTensor

PLAIN = {
    **{"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16},
    **{"I8": torch.int8, "I16": torch.int16, "I32": torch.int32, "I64": torch.int64},
}
BLOCK_BYTES = {name: (number, n_bytes) for number, (name, _, n_bytes) in TYPES.items()}

# numpy bytes (n_blocks, bytes per block) and ggml's type number -> float32 values (n_blocks, values per block)
DequantizeBlocks = Callable[[Any, int], Any]


def read_gguf(path: Path) -> dict[str, StoredTensor]:
    """All tensors of a GGUF file, with shapes in PyTorch's order."""
    header = read_gguf_header(path)
    header.check_complete()
    if not header.tensors:
        return {}
    # copy on write: torch needs writable memory, and the file must not change
    file = np.memmap(path, dtype=np.uint8, mode="c")
    dequantize_blocks = (
        None if all(entry.dtype in PLAIN for entry in header.tensors.values()) else block_dequantizer(path.name)
    )
    return {
        name: _value(torch.from_numpy(file[entry.start : entry.end]), entry, dequantize_blocks)
        for name, entry in header.tensors.items()
    }


def block_dequantizer(file: str) -> DequantizeBlocks:
    """The gguf library's function from blocks to values."""
    try:
        from gguf import GGMLQuantizationType, dequantize
    except ImportError as error:
        raise CheckpointError(
            f"{file} is a GGUF file with packed weights, and reading those needs the gguf library; "
            "install it into ComfyUI's Python with: pip install gguf"
        ) from error

    def values(blocks: Any, number: int) -> Any:
        try:
            with np.errstate(all="ignore"):  # a damaged scale may be infinite; no warnings
                return dequantize(blocks, GGMLQuantizationType(number))
        except (NotImplementedError, ValueError) as error:
            raise CheckpointError(
                f"{file} holds blocks of type {TYPES[number][0]}, which the installed gguf library cannot read; "
                "update it with pip install -U gguf, or get a Q8_0 or K-quant file"
            ) from error

    return values


def _value(raw: Tensor, entry: TensorEntry, dequantize_blocks: DequantizeBlocks | None) -> StoredTensor:
    if entry.dtype in PLAIN:
        return raw.view(PLAIN[entry.dtype]).view(entry.shape)
    assert dequantize_blocks is not None
    number, n_bytes = BLOCK_BYTES[entry.dtype]
    stored = {"weight": raw.view(-1, n_bytes)}
    return PackedWeight(
        entry.dtype, entry.shape, stored, partial(_values, dequantize_blocks=dequantize_blocks, number=number)
    )


def _values(stored: Stored, *, dequantize_blocks: DequantizeBlocks, number: int) -> Tensor:
    return torch.from_numpy(dequantize_blocks(stored["weight"].numpy(), number))
