"""A merge whose files are open but not read: every parameter is computed when it is asked for, by itself.

merged = base + combined(w_1 (tuned_1 - base), w_2 dW_2, ...), in float64 and rounded once, so that the weight 1 of one
fine-tune gives that fine-tune, and equal ones give themselves, to the bit. Without a base the first fine-tune is it:
where weights sum to 1, the sum of w_t tuned_t is tuned_1 + the sum of w_t (tuned_t - tuned_1).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from ..adapters import Lora, ScaledDelta, parameter_shapes, total_change
from ..checkpoints import DIT, CheckpointError, Strength, open_network, read_lora
from ..checkpoints.formats.files import headers_of
from ..checkpoints.formats.packed import PackedWeight
from ..checkpoints.load import OpenedNetwork
from ..checkpoints.lora.keys import split_ending
from ..config import DiTConfig
from ..model import S3DiT
from .method import combined
from .source import Merge, Source

OpenedDit = OpenedNetwork[DiTConfig, S3DiT]
SUM_TOLERANCE = 1e-6  # of weights that should sum to 1, which people write with a few digits


@dataclass(frozen=True)
class OpenedSource:
    """A source and what it holds: a network, or a LoRA that fits the base."""

    source: Source
    held: OpenedDit | Lora

    def weighted(self, name: str, base: Tensor) -> Tensor | None:
        """Its difference from the base's parameter of this name times its weight, in float64; None if there is none."""
        weight = self.source.weight_of(name)
        if not weight:
            return None
        if not isinstance(self.held, Lora):
            return stored(self.held, name).to(torch.float64, copy=True).sub_(base).mul_(weight)
        deltas = [ScaledDelta(target, each, weight) for target, each in self.held.deltas.items() if target[0] == name]
        return total_change(base.float(), deltas).double() if deltas else None


@dataclass(frozen=True)
class OpenedMerge:
    """The parameters of a merge, by name."""

    merge: Merge
    base: OpenedDit
    sources: tuple[OpenedSource, ...]
    shapes: dict[str, tuple[int, ...]]  # of all parameters
    notes: tuple[str, ...] = field(default=())  # what an artist should know of the files

    def dtype_of(self, name: str) -> torch.dtype:
        """The base's own for this parameter; packed weights and 8-bit floats become bfloat16."""
        first = next(iter(_stored_tensors(self.base, name).values()))
        is_wide = isinstance(first, Tensor) and first.dtype.itemsize > 1
        return first.dtype if isinstance(first, Tensor) and is_wide else self.base.weights.compute_dtype()

    def difference(self, name: str) -> Tensor | None:
        """What is added to the base's parameter, in float64; None where nothing is."""
        return self._difference(name, stored(self.base, name).double())

    def merged(self, name: str, dtype: torch.dtype | None = None) -> Tensor:
        """A parameter in the base's type or another. Raises `CheckpointError` for numbers that are not finite."""
        base = stored(self.base, name)
        difference = self._difference(name, base.double())
        value = (base if difference is None else base.double() + difference).to(dtype or self.dtype_of(name))
        if not value.isfinite().all():
            raise CheckpointError(self._why_not_finite(name))
        return value

    def _difference(self, name: str, base: Tensor) -> Tensor | None:
        return combined([each.weighted(name, base) for each in self.sources], self.merge.method, name)

    def _why_not_finite(self, name: str) -> str:
        base = stored(self.base, name).double()
        found = [each.source.file for each in self.sources if not _is_finite(each.weighted(name, base))]
        file = self.base.weights.file if not base.isfinite().all() or not found else found[0].name
        return (
            f"{file} holds numbers that are not finite in {name}, or weights make them so; use another file or weight"
        )


def open_merge(merge: Merge) -> OpenedMerge:
    """Open what a merge names and check that it fits together. Raises `ValueError` with one sentence."""
    if not merge.sources:
        raise ValueError("there is nothing to merge: name at least one fine-tune or LoRA")
    averaged = [] if merge.base else _shares(merge)
    first = averaged[0].file if averaged else merge.base
    assert first is not None  # `_shares` is never empty
    base = open_network(first, DIT)
    shapes = parameter_shapes(base.skeleton)
    if averaged:
        _check_sum(averaged, shapes)
        adapters = [each for each in merge.sources if is_lora(each.file)]
        merge = replace(merge, sources=(*averaged[1:], *adapters), base=first)
    opened = tuple(_opened(each, base, shapes) for each in merge.sources)
    return OpenedMerge(merge, base, opened, shapes, (*_packed_notes(base, opened), *_block_notes(merge, shapes)))


def is_lora(file: Path) -> bool:
    """Whether a file holds an adapter, told by its header."""
    return any(split_ending(key) for header in headers_of(file).values() for key in header.tensors)


def stored(opened: OpenedDit, name: str) -> Tensor:
    """A parameter as its file holds it, under the model's name; a packed one in float32."""
    shapes = _file_shapes(opened, name)
    state = {
        key: each.unpack(torch.float32, shapes[key]) if isinstance(each, PackedWeight) else each
        for key, each in _stored_tensors(opened, name).items()
    }
    return opened.weights.layout.to_model(state)[name]


def _stored_tensors(opened: OpenedDit, name: str) -> "dict[str, Tensor | PackedWeight]":
    """The file's tensors that make a parameter: one, or three for a fused one."""
    return {key: opened.weights.tensors[key] for key in _file_shapes(opened, name)}


def _file_shapes(opened: OpenedDit, name: str) -> dict[str, tuple[int, ...]]:
    needed = {name: opened.skeleton.get_parameter(name)}
    return {key: tuple(tensor.shape) for key, tensor in opened.weights.layout.to_file(needed).items()}


def _shares(merge: Merge) -> list[Source]:
    """The fine-tunes of a merge without a base, in equal shares where no weights are given."""
    models = [each for each in merge.sources if not is_lora(each.file)]
    if not models:
        raise ValueError("LoRAs alone make no model: name the model they are for as the base")
    if merge.method.name != "sum":
        raise ValueError(f"{merge.method.name} compares fine-tunes with the model they come from: name it as the base")
    share = 1 / len(models)
    return [each if each.weight else replace(each, weight=Strength(share, share)) for each in models]


def _check_sum(models: Sequence[Source], parameters: Iterable[str]) -> None:
    """Refuse weights that do not sum to 1 in every block."""
    for name in parameters:
        found = sum(each.weight_of(name) for each in models)
        if abs(found - 1) > SUM_TOLERANCE:
            raise ValueError(
                f"the weights of the models sum to {found:g} in {name}, not to 1: change them, or name the base from "
                "which the models were tuned, to which their differences are then added"
            )


def _opened(source: Source, base: OpenedDit, shapes: dict[str, tuple[int, ...]]) -> OpenedSource:
    if is_lora(source.file):
        return OpenedSource(source, read_lora(source.file).fitted(shapes))
    opened = open_network(source.file, DIT)
    if opened.config != base.config:
        raise CheckpointError(
            f"{source.file.name} ({_sizes(opened.config)}) is not of the same architecture as {base.weights.file} "
            f"({_sizes(base.config)}); merge fine-tunes of one model"
        )
    return OpenedSource(source, opened)


def _sizes(config: DiTConfig) -> str:
    omni = ", with references" if config.siglip_feat_dim else ""
    return f"{config.n_layers} layers of width {config.dim}{omni}"


def _packed_notes(base: OpenedDit, sources: Sequence[OpenedSource]) -> list[str]:
    networks = [base, *(each.held for each in sources if not isinstance(each.held, Lora))]
    packed = {each.weights.file for each in networks if _has_packed(each)}
    return [
        f"{file} is quantised: the merge has its rounding; use the bfloat16 file if there is one" for file in packed
    ]


def _has_packed(opened: OpenedDit) -> bool:
    tensors = opened.weights.tensors.values()
    return any(isinstance(each, PackedWeight) or each.dtype.itemsize < 2 for each in tensors)


def _block_notes(merge: Merge, shapes: dict[str, tuple[int, ...]]) -> list[str]:
    notes: list[str] = []
    for source in merge.sources:
        names = source.weight.without_block(shapes) if source.weight else []
        if names:
            notes.append(f"{source.file.name}: the model has no blocks {', '.join(names)}")
    return notes


def _is_finite(tensor: Tensor | None) -> bool:
    return tensor is None or bool(tensor.isfinite().all())
