"""The namespace every weighted layer comes from.

A network asks `ops.Linear(...)`, never `nn.Linear(...)`. ComfyUI's casting and quantised layers, and our own, enter
through this one door; the network never knows.
"""

from collections.abc import Callable
from typing import Protocol, cast, runtime_checkable

import torch
from torch import nn

Factory = torch.device | torch.dtype | str | None
"""What layer constructors take beside their widths: `device` and `dtype`, passed on by every module."""


@runtime_checkable
class Ops(Protocol):
    """Layer constructors with `torch.nn`'s signatures; each also takes `device` and `dtype` by keyword."""

    @property
    def Linear(self) -> Callable[..., nn.Module]: ...
    @property
    def RMSNorm(self) -> Callable[..., nn.Module]: ...
    @property
    def LayerNorm(self) -> Callable[..., nn.Module]: ...
    @property
    def GroupNorm(self) -> Callable[..., nn.Module]: ...
    @property
    def Embedding(self) -> Callable[..., nn.Module]: ...
    @property
    def Conv2d(self) -> Callable[..., nn.Module]: ...


TORCH = cast(Ops, nn)
"""Plain PyTorch layers, the default everywhere."""
