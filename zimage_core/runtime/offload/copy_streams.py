"""How copies and computation keep out of each other's way: streams and events on CUDA, plain order elsewhere.

A slot is device memory that one block after another is copied into. Two promises make reuse safe: a block computes only
after its slot is filled, and a slot is filled again only after its block has computed.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

SLOTS = 2  # one block computes while the next is copied


class Copy(NamedTuple):
    """One piece of a block on its way into a slot."""

    target: Tensor
    source: Tensor


@runtime_checkable
class Lane(Protocol):
    """What streaming asks of a device."""

    def pin(self, memory: Tensor) -> bool:
        """Lock host memory so that copies from it need no processor; whether that worked."""
        ...

    def unpin(self, memory: Tensor) -> None:
        """Undo `pin`."""
        ...

    def fill(self, slot: int, copies: Sequence[Copy]) -> None:
        """Copy a block once its slot is free."""
        ...

    def begin(self, slot: int) -> None:
        """What is computed from here on finds the slot filled."""
        ...

    def end(self, slot: int) -> None:
        """What was computed up to here was the last to need the slot."""
        ...

    def finish(self) -> None:
        """Wait until nothing is under way."""
        ...


class PlainLane:
    """Copies that are done when they return, or that the device orders by itself."""

    def pin(self, memory: Tensor) -> bool:
        return True  # nothing is gained by it here

    def unpin(self, memory: Tensor) -> None:
        pass

    def fill(self, slot: int, copies: Sequence[Copy]) -> None:
        with torch.inference_mode():  # or tensors made in that mode could not be written on outside of it
            for copy in copies:
                copy.target.copy_(copy.source)

    def begin(self, slot: int) -> None:
        pass

    def end(self, slot: int) -> None:
        pass

    def finish(self) -> None:
        pass


class CudaLane:
    """A stream of its own for copies, and two events for every slot. Written without a card at hand."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.copies = torch.cuda.Stream(device)
        self.filled = [torch.cuda.Event() for _ in range(SLOTS)]
        self.freed = [torch.cuda.Event() for _ in range(SLOTS)]

    def pin(self, memory: Tensor) -> bool:
        """Registered, not allocated: PyTorch's pinned allocator rounds sizes up to a power of two."""
        runtime = torch.cuda.cudart()
        assert runtime is not None
        if int(runtime.cudaHostRegister(memory.data_ptr(), memory.nbytes, 0)) == 0:
            return True
        with suppress(RuntimeError):  # the refusal would otherwise be reported by the next kernel
            torch.ones(1, device=self.device).add_(1).item()
        return False

    def unpin(self, memory: Tensor) -> None:
        runtime = torch.cuda.cudart()
        assert runtime is not None
        runtime.cudaHostUnregister(memory.data_ptr())

    def fill(self, slot: int, copies: Sequence[Copy]) -> None:
        self.copies.wait_event(self.freed[slot])
        with torch.cuda.stream(self.copies), torch.inference_mode():  # for the plain lane's reason
            for copy in copies:
                copy.target.copy_(copy.source, non_blocking=True)
            self.filled[slot].record(self.copies)

    def begin(self, slot: int) -> None:
        torch.cuda.current_stream(self.device).wait_event(self.filled[slot])

    def end(self, slot: int) -> None:
        self.freed[slot].record(torch.cuda.current_stream(self.device))

    def finish(self) -> None:
        torch.cuda.synchronize(self.device)


def lane_for(device: torch.device) -> Lane:
    """The lane of a kind of device."""
    return CudaLane(device) if device.type == "cuda" else PlainLane()
