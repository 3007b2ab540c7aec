"""Copy streams: copying blocks to the device while others compute, with CUDA streams and events or synchronously.

A slot is a device buffer that one streamed block after another is copied into. Two rules make its reuse safe: a block
computes only after its slot has been filled, and a slot is filled again only after its block has computed.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

SLOTS = 2  # double buffering: one block computes while the next one is copied


class Copy(NamedTuple):
    """One transfer from CPU memory into a slot."""

    target: Tensor
    source: Tensor


@runtime_checkable
class CopyStream(Protocol):
    """What block streaming needs of a device."""

    def pin(self, memory: Tensor) -> bool:
        """Page-lock CPU memory, so that copies from it are asynchronous; returns whether that worked."""
        ...

    def unpin(self, memory: Tensor) -> None:
        """Undo `pin`."""
        ...

    def fill(self, slot: int, copies: Sequence[Copy]) -> None:
        """Copy a block into a slot, once the block before has released it."""
        ...

    def wait_filled(self, slot: int) -> None:
        """Let everything computed from here on wait until the slot is filled."""
        ...

    def release(self, slot: int) -> None:
        """Let the slot be filled again, once everything computed up to here is done."""
        ...

    def synchronize(self) -> None:
        """Wait until no copy and no computation is running."""
        ...


class SynchronousCopies:
    """Copies that are done when they return, or that the device itself orders behind its computations."""

    def pin(self, memory: Tensor) -> bool:
        return True  # there would be no gain

    def unpin(self, memory: Tensor) -> None:
        pass

    def fill(self, slot: int, copies: Sequence[Copy]) -> None:
        with torch.inference_mode():  # slots may be inference tensors, which nothing outside of that mode may write to
            for copy in copies:
                copy.target.copy_(copy.source)

    def wait_filled(self, slot: int) -> None:
        pass

    def release(self, slot: int) -> None:
        pass

    def synchronize(self) -> None:
        pass


class CudaCopyStream:
    """A CUDA stream for copies, and two events for each slot."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.stream = torch.cuda.Stream(device)
        self.filled = [torch.cuda.Event() for _ in range(SLOTS)]
        self.released = [torch.cuda.Event() for _ in range(SLOTS)]

    def pin(self, memory: Tensor) -> bool:
        """Registers existing memory: PyTorch's pinned allocator would round its size up to a power of two."""
        runtime = torch.cuda.cudart()
        assert runtime is not None
        if int(runtime.cudaHostRegister(memory.data_ptr(), memory.nbytes, 0)) == 0:
            return True
        with suppress(RuntimeError):  # clears CUDA's error state, or the next kernel would report the refusal
            torch.ones(1, device=self.device).add_(1).item()
        return False

    def unpin(self, memory: Tensor) -> None:
        runtime = torch.cuda.cudart()
        assert runtime is not None
        runtime.cudaHostUnregister(memory.data_ptr())

    def fill(self, slot: int, copies: Sequence[Copy]) -> None:
        self.stream.wait_event(self.released[slot])
        with torch.cuda.stream(self.stream), torch.inference_mode():  # slots may be inference tensors
            for copy in copies:
                copy.target.copy_(copy.source, non_blocking=True)
            self.filled[slot].record(self.stream)

    def wait_filled(self, slot: int) -> None:
        torch.cuda.current_stream(self.device).wait_event(self.filled[slot])

    def release(self, slot: int) -> None:
        self.released[slot].record(torch.cuda.current_stream(self.device))

    def synchronize(self) -> None:
        torch.cuda.synchronize(self.device)


def copy_stream_for(device: torch.device) -> CopyStream:
    """The copy stream of a device."""
    return CudaCopyStream(device) if device.type == "cuda" else SynchronousCopies()
