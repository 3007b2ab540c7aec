"""The namespace every weighted layer comes from.

A network asks `ops.Linear(...)`, never `torch.nn` itself. ComfyUI's casting and quantised layers, and our own, enter
through this one door; the network never knows.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Generic, Protocol, TypedDict, TypeVar, cast, runtime_checkable

import torch
from torch import nn


@runtime_checkable
class Ops(Protocol):
    """Layer constructors with `torch.nn`'s signatures; each also takes what `Factory` holds."""

    @property
    def Linear(self) -> Callable[..., nn.Module]: ...
    @property
    def RMSNorm(self) -> Callable[..., nn.RMSNorm]: ...
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


class Factory(TypedDict, total=False):
    """What every layer takes beside its widths and every module hands on."""

    device: torch.device | str | None
    dtype: torch.dtype | None


Kind = TypeVar("Kind", bound=nn.Module)


class Layers(nn.ModuleList, Generic[Kind]):
    """A ModuleList that tells type checkers what it holds."""

    if TYPE_CHECKING:

        def __iter__(self) -> Iterator[Kind]: ...
