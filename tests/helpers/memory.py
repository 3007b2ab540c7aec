"""Peak bytes of live tensors on the CPU, counted by a dispatch mode."""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from zimage_core.runtime.live_bytes import LiveBytes, storage_of


class LiveBytesMode(TorchDispatchMode):
    """Tracks the storages of every operation's outputs while it is active."""

    def __init__(self) -> None:
        super().__init__()
        self.live = LiveBytes()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            storage = storage_of(leaf)
            if storage is not None:
                self.live.add(storage)
        return out

    @property
    def now(self) -> int:
        return self.live.now

    @property
    def peak(self) -> int:
        return self.live.peak

    @peak.setter
    def peak(self, value: int) -> None:
        self.live.peak = value


@torch.inference_mode()
def peak_bytes(run: Callable[[], Any]) -> int:
    """Peak bytes of new tensors alive at once during `run`."""
    with LiveBytesMode() as mode:
        run()
    return mode.peak
