"""Bytes of live tensor storages: current and peak."""

import weakref
from typing import Any

import torch
from torch import Tensor


class LiveBytes:
    """Tracks storages by address; a freed storage is removed, because its address may be reused."""

    def __init__(self) -> None:
        self.now = self.peak = 0
        self._addresses: set[int] = set()

    def add(self, storage: torch.UntypedStorage) -> bool:
        """Track a storage; False if it is empty or already tracked."""
        address, size = storage.data_ptr(), storage.nbytes()
        if not address or address in self._addresses:
            return False
        self._addresses.add(address)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._remove, address, size)
        return True

    def _remove(self, address: int, size: int) -> None:
        self._addresses.discard(address)
        self.now -= size


def storage_of(leaf: Any) -> torch.UntypedStorage | None:
    """A plain tensor's storage; None for other values, and for quantized tensors, which wrap plain ones."""
    return leaf.untyped_storage() if type(leaf) in (Tensor, torch.nn.Parameter) else None
