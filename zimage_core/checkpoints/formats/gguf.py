"""GGUF files as tensors: plain ones memory-mapped, blocks packed until their values are asked for.

The gguf library knows ggml's blocks and is needed for their values only; what a file is, its header tells without it.
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

Blocks = Callable[[Any, int], Any]  # numpy bytes (blocks, bytes of one) and ggml's type number, to float32 values


def read_gguf(path: Path) -> dict[str, StoredTensor]:
    """All tensors of a GGUF file, shapes in PyTorch's order."""
    header = read_gguf_header(path)
    header.check_complete()
    if not header.tensors:
        return {}
    # copy on write: torch wants memory it may write to, the file stays as it is
    file = np.memmap(path, dtype=np.uint8, mode="c")
    blocks = None if all(entry.dtype in PLAIN for entry in header.tensors.values()) else library(path.name)
    return {
        name: _value(torch.from_numpy(file[entry.start : entry.end]), entry, blocks)
        for name, entry in header.tensors.items()
    }


def library(file: str) -> Blocks:
    """The gguf library's way from blocks to values."""
    try:
        from gguf import GGMLQuantizationType, dequantize
    except ImportError as error:
        raise CheckpointError(
            f"{file} is a GGUF file with packed weights, and reading those needs the gguf library; "
            "install it into ComfyUI's Python with: pip install gguf"
        ) from error

    def values(blocks: Any, number: int) -> Any:
        try:
            with np.errstate(all="ignore"):  # a damaged scale may be infinite; that is no reason to print
                return dequantize(blocks, GGMLQuantizationType(number))
        except (NotImplementedError, ValueError) as error:
            raise CheckpointError(
                f"{file} holds blocks of type {TYPES[number][0]}, which the installed gguf library cannot read; "
                "update it with pip install -U gguf, or get a Q8_0 or K-quant file"
            ) from error

    return values


def _value(raw: Tensor, entry: TensorEntry, blocks: Blocks | None) -> StoredTensor:
    if entry.dtype in PLAIN:
        return raw.view(PLAIN[entry.dtype]).view(entry.shape)
    assert blocks is not None
    number, n_bytes = BLOCK_BYTES[entry.dtype]
    stored = {"weight": raw.view(-1, n_bytes)}
    return PackedWeight(entry.dtype, entry.shape, stored, partial(_values, blocks=blocks, number=number))


def _values(stored: Stored, *, blocks: Blocks, number: int) -> Tensor:
    return torch.from_numpy(blocks(stored["weight"].numpy(), number))
