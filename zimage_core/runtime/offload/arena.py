"""One stretch of host memory that holds the streamed blocks back to back, and how a block lies in memory.

A block in an arena is copied in one piece. Its tensors are moved in one block at a time, so that no second copy of the
model ever stands beside the first.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

ALIGNMENT = 256  # bytes; what CUDA's own allocator gives, and more than any kernel asks for


class Place(NamedTuple):
    """Where a tensor lies within its block."""

    start: int
    dtype: torch.dtype
    shape: torch.Size
    strides: tuple[int, ...]
    is_inference: bool  # made in inference mode; such a tensor works with data that was made there only

    def view(self, memory: Tensor) -> Tensor:
        """The tensor in a block's memory, of the same type, shape, strides and kind."""
        first = (memory.storage_offset() + self.start) // self.dtype.itemsize
        with torch.inference_mode(self.is_inference):
            view = torch.empty(0, dtype=self.dtype, device=memory.device)
            return view.set_(memory.untyped_storage(), first, self.shape, self.strides)


class Layout(NamedTuple):
    """How the tensors of one block lie in memory."""

    places: tuple[Place, ...]
    nbytes: int

    def views(self, memory: Tensor) -> list[Tensor]:
        """All tensors in a block's memory."""
        return [place.view(memory) for place in self.places]


def layout_of(tensors: Sequence[Tensor]) -> Layout:
    """Back to back, aligned; of any types."""
    places: list[Place] = []
    end = 0
    for tensor in tensors:
        if type(tensor) not in (nn.Parameter, Tensor):
            raise ValueError(
                f"a weight of the class {type(tensor).__name__} cannot be streamed, as its parts are hidden inside it; "
                "keep all blocks resident, or load the model with plain weights"
            )
        strides = torch.empty_like(tensor, device="meta").stride()  # dense, in the tensor's own order
        places.append(Place(end, tensor.dtype, tensor.shape, strides, tensor.is_inference()))
        end = aligned(end + tensor.numel() * tensor.itemsize)
    return Layout(tuple(places), end)


def aligned(size: int) -> int:
    """Up to the next multiple of the alignment."""
    return size + -size % ALIGNMENT


def move_in(blocks: Sequence[Sequence[Tensor]], layouts: Sequence[Layout]) -> tuple[Tensor, list[Tensor]]:
    """Move all blocks' tensors into one new arena, where they live from now on; the arena, and each block's part."""
    with torch.inference_mode(False):
        arena = torch.empty(sum(layout.nbytes for layout in layouts), dtype=torch.uint8)
        memories = list(arena.split([layout.nbytes for layout in layouts]))
    for tensors, layout, memory in zip(blocks, layouts, memories, strict=True):
        for tensor, view in zip(tensors, layout.views(memory), strict=True):
            with torch.inference_mode():
                view.copy_(tensor.data)
            tensor.data = view
    return arena, memories
