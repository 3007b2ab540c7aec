"""Counts bytes of live tensors, which no clock and no other process disturbs."""

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveBytes(TorchDispatchMode):
    """Tracks the storages operations create, and the largest sum of those alive at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if type(tensor) in (torch.Tensor, torch.nn.Parameter):  # a quantised one wraps tensors counted before
                self._track(tensor.untyped_storage())
        return out

    def _track(self, storage: torch.UntypedStorage) -> None:
        address, size = storage.data_ptr(), storage.nbytes()
        if address in self.known or not size:
            return
        self.known.add(address)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._forget, address, size)

    def _forget(self, address: int, size: int) -> None:
        self.known.discard(address)
        self.now -= size


@torch.inference_mode()
def peak_bytes(run: Callable[[], Any]) -> int:
    """The most bytes of new tensors alive at once while `run` runs."""
    with LiveBytes() as counter:
        run()
    return counter.peak
