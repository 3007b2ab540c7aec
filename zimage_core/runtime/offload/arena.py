"""The arena: one allocation of CPU memory that holds all streamed blocks back to back, and the layout of a block in it.

A block in the arena is copied to the device in one transfer. Its tensors are moved in one block at a time, so the model
is never in CPU memory twice.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

ALIGNMENT = 256  # bytes; that of CUDA's own allocator, and more than any kernel needs


class TensorLayout(NamedTuple):
    """Where one tensor is inside the memory of its block."""

    offset: int  # bytes
    dtype: torch.dtype
    shape: torch.Size
    strides: tuple[int, ...]
    is_inference: bool  # created in inference mode: `tensor.data` accepts only data that was created there too

    def view(self, memory: Tensor) -> Tensor:
        """The tensor inside a block's memory (bytes), with its dtype, shape, strides and inference flag."""
        first = (memory.storage_offset() + self.offset) // self.dtype.itemsize
        with torch.inference_mode(self.is_inference):
            view = torch.empty(0, dtype=self.dtype, device=memory.device)
            return view.set_(memory.untyped_storage(), first, self.shape, self.strides)


class MemoryLayout(NamedTuple):
    """How the tensors of one block are laid out in memory."""

    tensors: tuple[TensorLayout, ...]
    nbytes: int

    def views(self, memory: Tensor) -> list[Tensor]:
        """All tensors inside a block's memory (bytes)."""
        return [tensor.view(memory) for tensor in self.tensors]


def memory_layout(tensors: Sequence[Tensor]) -> MemoryLayout:
    """Tensors of any dtypes back to back, each aligned. Raises `ValueError` for tensor subclasses."""
    layouts: list[TensorLayout] = []
    end = 0
    for tensor in tensors:
        if type(tensor) not in (nn.Parameter, Tensor):
            raise ValueError(
                f"a weight of the class {type(tensor).__name__} cannot be streamed, as its parts are hidden inside it; "
                "keep all blocks resident, or load the model with plain weights"
            )
        strides = torch.empty_like(tensor, device="meta").stride()  # dense, in the tensor's own dimension order
        layouts.append(TensorLayout(end, tensor.dtype, tensor.shape, strides, tensor.is_inference()))
        end = align(end + tensor.numel() * tensor.itemsize)
    return MemoryLayout(tuple(layouts), end)


def align(size: int) -> int:
    """`size` rounded up to a multiple of the alignment."""
    return size + -size % ALIGNMENT


def move_into_arena(blocks: Sequence[Sequence[Tensor]], layouts: Sequence[MemoryLayout]) -> tuple[Tensor, list[Tensor]]:
    """Move the tensors of all blocks into a new arena for good. Returns the arena and each block's part, as bytes."""
    with torch.inference_mode(False):
        arena = torch.empty(sum(layout.nbytes for layout in layouts), dtype=torch.uint8)
        memories = list(arena.split([layout.nbytes for layout in layouts]))
    for tensors, layout, memory in zip(blocks, layouts, memories, strict=True):
        for tensor, view in zip(tensors, layout.views(memory), strict=True):
            with torch.inference_mode():
                view.copy_(tensor.data)
            tensor.data = view
    return arena, memories
