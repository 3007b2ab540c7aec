"""The file of a merged model: ComfyUI's layout, one parameter in memory at a time."""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from ..atomic_file import write_tensors
from ..tensor_bytes import Slot
from .opened import OpenedMerge


def write_merged_model(
    opened: OpenedMerge,
    out: Path,
    metadata: Mapping[str, str],
    advance: Callable[[str], None],
    dtype: torch.dtype | None = None,
) -> None:
    """Write a merge, in the base's types unless another is given. `advance` is called with every parameter's name.

    On any exception, one of `advance` included, nothing is left behind.
    """
    slots = {name: Slot(dtype or opened.dtype_of(name), shape) for name, shape in opened.shapes.items()}

    def tensor_of(name: str) -> Tensor:
        advance(name)
        return opened.merged(name, slots[name].dtype)

    write_tensors(out, slots, tensor_of, metadata)
