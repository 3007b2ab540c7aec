"""`Delta`: every kind of change to a weight; and the tensors a delta is made of, to be moved or replaced."""

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

from .additive import Additive
from .dora import DoRA
from .full import SetWeight
from .glora import GLoRA
from .orthogonal import BOFT, OFT

Delta = Additive | SetWeight | DoRA | OFT | BOFT | GLoRA
AnyDelta = TypeVar("AnyDelta", bound=Delta)


def to_device(delta: AnyDelta, device: torch.device) -> AnyDelta:
    """The same delta with its tensors on a device."""
    return with_tensors(delta, (tensor.to(device) for tensor in tensors_of(delta)))


def tensors_of(delta: Delta) -> tuple[Tensor, ...]:
    """A delta's tensors in a fixed order: by field, those of nested tuples and deltas in between."""
    return tuple(_tensors_in(delta))


def with_tensors(delta: AnyDelta, tensors: Iterable[Tensor]) -> AnyDelta:
    """The same delta with its tensors replaced by others, in the order of `tensors_of`."""
    remaining = iter(tensors)

    def replaced(value: Any) -> Any:
        if isinstance(value, Tensor):
            return next(remaining)
        if isinstance(value, tuple):
            return tuple([replaced(each) for each in cast("tuple[Any, ...]", value)])
        if is_dataclass(value) and not isinstance(value, type):
            return replace(value, **{field.name: replaced(getattr(value, field.name)) for field in fields(value)})
        return value

    return replaced(delta)


def _tensors_in(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple):
        for each in cast("tuple[Any, ...]", value):
            yield from _tensors_in(each)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _tensors_in(getattr(value, field.name))
