"""Bytes of live tensor storages: current and peak."""

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class LiveBytes:
    """Tracks storages by their `place`; a freed one is removed, because its place may be reused.

    By address, which is 0 on the meta device, memory counts; with `place=id`, what meta storages stand for does, too.
    """

    def __init__(self, place: Callable[[torch.UntypedStorage], int] = torch.UntypedStorage.data_ptr) -> None:
        self.now = self.peak = 0
        self._place_of = place
        self._places: set[int] = set()

    def add(self, storage: torch.UntypedStorage) -> bool:
        """Track a storage; False if it is empty or already tracked."""
        place, size = self._place_of(storage), storage.nbytes()
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
