"""The namespace every weighted layer comes from.

Networks call `ops.Linear(...)`, never `torch.nn` directly, so ComfyUI's casting and quantized layers, or our own, can
be injected without changing a network.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Generic, Protocol, TypedDict, TypeVar, cast, runtime_checkable

import torch
from torch import nn


@runtime_checkable
class Ops(Protocol):
    """Layer constructors with `torch.nn`'s signatures, `Factory` arguments included."""

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
    """The keyword arguments that modules pass to every layer they build."""

    device: torch.device | str | None
    dtype: torch.dtype | None


Kind = TypeVar("Kind", bound=nn.Module)


class Layers(nn.ModuleList, Generic[Kind]):
    """A ModuleList with a type for its elements."""

    if TYPE_CHECKING:

        def __iter__(self) -> Iterator[Kind]: ...
