"""Key layouts: tables of reversible rules between a file's key names and the model's.

The model's keys are those of the single files artists have on disk, which the networks use as parameter names. A rule
rewrites a whole state dict in either direction; a layout applies its rules in order from file to model, and in reverse
order from model to file.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

State = Mapping[str, Tensor]


@runtime_checkable
class Rule(Protocol):
    """One reversible change to a state dict."""

    def to_model(self, state: State) -> dict[str, Tensor]: ...
    def to_file(self, state: State) -> dict[str, Tensor]: ...


@dataclass(frozen=True)
class Rename:
    """Another name for the same tensor. Each `*` stands for the same text on both sides."""

    file: str
    model: str

    def to_model(self, state: State) -> dict[str, Tensor]:
        return {rename(key, self.file, self.model): tensor for key, tensor in state.items()}

    def to_file(self, state: State) -> dict[str, Tensor]:
        return {rename(key, self.model, self.file): tensor for key, tensor in state.items()}


@dataclass(frozen=True)
class Concat:
    """Several matrices (o, i) of the file, concatenated along their rows in this order, are one of the model."""

    file: tuple[str, ...]
    model: str

    def to_model(self, state: State) -> dict[str, Tensor]:
        out = dict(state)
        for key in state:
            fused = rename(key, self.file[0], self.model)
            names = [rename(fused, self.model, file) for file in self.file]
            if fused != key and all(name in out for name in names):
                out[fused] = torch.cat([out.pop(name) for name in names])
        return out

    def to_file(self, state: State) -> dict[str, Tensor]:
        out: dict[str, Tensor] = {}
        for key, tensor in state.items():
            names = [rename(key, self.model, file) for file in self.file]
            if names[0] == key:
                out[key] = tensor
            else:
                chunks = tensor.chunk(len(names))
                out.update({name: chunk.contiguous() for name, chunk in zip(names, chunks, strict=True)})
        return out


@dataclass(frozen=True)
class MatrixToConv1x1:
    """A matrix (o, i) of the file is a 1x1 convolution (o, i, 1, 1) of the model, under the same key."""

    model: str

    def to_model(self, state: State) -> dict[str, Tensor]:
        return {
            key: tensor[..., None, None] if self._matches(key) and tensor.ndim == 2 else tensor
            for key, tensor in state.items()
        }

    def to_file(self, state: State) -> dict[str, Tensor]:
        return {key: tensor[..., 0, 0] if self._matches(key) else tensor for key, tensor in state.items()}

    def _matches(self, key: str) -> bool:
        return rename(key, self.model, "") != key


def rename(key: str, old: str, new: str) -> str:
    """The key with pattern `old` replaced by `new`, or the key itself where it does not match."""
    match = re.fullmatch(re.escape(old).replace(r"\*", "(.*)"), key)
    if match is None:
        return key
    wild = iter(match.groups())
    return "".join(next(wild) if piece == "*" else piece for piece in re.split(r"(\*)", new))


@dataclass(frozen=True)
class KeyLayout:
    """A published way to name a network's tensors, identified by one key that no other layout has."""

    name: str
    unique_key: str
    rules: tuple[Rule, ...] = ()

    def to_model(self, state: State) -> dict[str, Tensor]:
        """A file's state dict under the model's keys."""
        for rule in self.rules:
            state = rule.to_model(state)
        return dict(state)

    def to_file(self, state: State) -> dict[str, Tensor]:
        """The model's state dict under this layout's keys, ready to be saved."""
        for rule in reversed(self.rules):
            state = rule.to_file(state)
        return dict(state)
