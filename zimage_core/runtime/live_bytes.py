"""Bytes of live tensor storages: current and peak. Storages of the meta device count as the memory they stand for."""

import weakref
from typing import Any

import torch
from torch import Tensor


class LiveBytes:
    """Tracks storages by address, those without one by themselves; a freed one is removed, as it may be reused."""

    def __init__(self) -> None:
        self.now = self.peak = 0
        self._places: set[int] = set()

    def add(self, storage: torch.UntypedStorage) -> bool:
        """Track a storage; False if it is empty or already tracked."""
        size = storage.nbytes()
        place = id(storage) if storage.device.type == "meta" else storage.data_ptr()
        if not size or not place or place in self._places:
            return False
        self._places.add(place)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._remove, place, size)
        return True

    def _remove(self, place: int, size: int) -> None:
        self._places.discard(place)
        self.now -= size


def storage_of(leaf: Any) -> torch.UntypedStorage | None:
    """A plain tensor's storage; None for other values, and for quantized tensors, which wrap plain ones."""
    return leaf.untyped_storage() if type(leaf) in (Tensor, torch.nn.Parameter) else None
