"""Reads LoRA files of every trainer and kind into one `Lora`.

Deltas hold the file's own values unchanged; rows are cut only where a file merges two of our matrices into one. Keys
that match nothing are listed in the result, so nothing is dropped silently.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from ...adapters import N_PARTS, Delta, Lora, Target
from ..formats.errors import CheckpointError
from ..formats.files import headers_of, read_safetensors
from ..formats.header import TensorEntry
from ..identify.inspect import identify
from .decode import RoleTensors, alphas_of, bias_delta, weight_delta
from .keys import TEXT_ENCODER, family_of, flatten, foreign_model_of, split_ending, targets_of

StateDict = Mapping[str, Tensor]  # by the file's keys
AlphaOf = Callable[[str, int], float | None]  # from a module's name and rank
CHECKED_DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
ADVICE = "use a LoRA trained for Z-Image, from models/loras"


def read_lora(source: str | Path | StateDict, metadata: Mapping[str, str] | None = None) -> Lora:
    """The weight deltas of a LoRA file, under our parameter names. Raises `CheckpointError` with a one-line message."""
    if isinstance(source, Mapping):
        return _lora(source, metadata or {}, "the state dict")
    tensors: dict[str, Tensor] = {}
    merged_metadata: dict[str, str] = {}
    for file, header in headers_of(Path(source)).items():
        header.check_complete()
        _check_is_lora(header.tensors, header.metadata, header.file)
        merged_metadata.update(header.metadata)
        tensors.update(read_safetensors(file))
    return _lora(tensors, merged_metadata, Path(source).name)


def _lora(tensors: StateDict, metadata: Mapping[str, str], file: str) -> Lora:
    text_encoder = {key for key in tensors if TEXT_ENCODER.match(key)}
    ours = {key: tensor for key, tensor in tensors.items() if key not in text_encoder}
    _check_finite(ours, file)
    modules, unmatched = _modules(ours)
    alpha_of = alphas_of(metadata)
    deltas: dict[Target, Delta] = {}
    redundant: list[str] = []
    for module in sorted(modules, key=_priority, reverse=True):
        decoded = list(_deltas(module, modules[module], alpha_of, file))
        if not decoded:
            unmatched.append(module)
        for target, delta in decoded:
            if _is_covered(target, deltas):
                redundant.append(module)
            else:
                deltas[target] = delta
    if not deltas:
        raise CheckpointError(_why_nothing_matches(ours, len(tensors), file))
    return Lora(
        file=file,
        family=family_of(ours),
        deltas=deltas,
        unmatched=tuple(sorted(unmatched)),
        text_encoder=tuple(sorted(text_encoder)),
        redundant=tuple(redundant),
        metadata=metadata,
    )


def _modules(tensors: StateDict) -> tuple[dict[str, dict[str, Tensor]], list[str]]:
    """Tensors by module and role, and the keys with unknown endings."""
    modules: defaultdict[str, dict[str, Tensor]] = defaultdict(dict)
    unknown: list[str] = []
    for key, tensor in tensors.items():
        split = split_ending(key)
        if split is None:
            unknown.append(key)
        else:
            module, role = split
            modules[module][role] = tensor
    return modules, unknown


def _deltas(module: str, stored: RoleTensors, alpha_of: AlphaOf, file: str) -> Iterator[tuple[Target, Delta]]:
    """The deltas of one module of the file; none where our network has no such module."""
    targets = targets_of(module)
    if not targets:
        return
    try:
        weight, bias = weight_delta(stored, partial(alpha_of, module)), bias_delta(stored)
        if weight is not None:
            yield from zip(targets, _split_rows(weight, len(targets)), strict=True)
    except ValueError as error:
        raise CheckpointError(f"{file} is damaged at {module[:80]}: {error}; download it again") from error
    if bias is not None:
        yield Target(targets[0].parameter.removesuffix("weight") + "bias", targets[0].part), bias


def _split_rows(delta: Delta, count: int) -> list[Delta]:
    """The deltas of `count` matrices of equal height that are stacked by rows in one."""
    if not delta.shape or delta.shape[0] % count:
        raise ValueError(f"its shape is {list(delta.shape)}, which cannot be cut into {count}")
    height = delta.shape[0] // count
    return [delta.rows(index * height, (index + 1) * height) for index in range(count)] if count > 1 else [delta]


def _priority(module: str) -> tuple[bool, str]:
    """Sort key among modules that change the same rows, the largest wins: separate q, k, v; `to_out` over `out`."""
    return any(target.part is not None for target in targets_of(module)), module


def _is_covered(target: Target, deltas: Mapping[Target, Delta]) -> bool:
    """Whether `deltas` changes some of the target's rows already."""
    parts = (Target(target.parameter, part) for part in range(N_PARTS))
    return target in deltas or (target.part is None and any(part in deltas for part in parts))


def _check_is_lora(entries: Mapping[str, TensorEntry], metadata: Mapping[str, str], file: str) -> None:
    """Raise `CheckpointError` for a file of another kind, before its tensors are read."""
    if not any(split_ending(key) for key in entries):
        raise CheckpointError(f"{file} is {identify(entries, metadata, file).what}, not a LoRA; {ADVICE}")


def _check_finite(tensors: StateDict, file: str) -> None:
    """Raise `CheckpointError` for NaN or infinite numbers, which would make every picture black."""
    for key, tensor in tensors.items():
        if tensor.dtype in CHECKED_DTYPES and not torch.isfinite(tensor).all():
            raise CheckpointError(
                f"{file} holds numbers that are not finite in {key[:80]}: its training failed, or the file is damaged; "
                "use an earlier save of it, or download it again"
            )


def _why_nothing_matches(ours: StateDict, count: int, file: str) -> str:
    """The error message for a file with no tensor for our network."""
    model, first = foreign_model_of(ours), min(map(flatten, ours), default="")
    if not ours:
        what = "a LoRA for a text encoder alone"
    else:
        what = f"a LoRA for {model}" if model else f"a LoRA for another model (its keys begin with {first[:80]})"
    return f"{file} is {what}: none of its {count} tensors belongs to a Z-Image weight; {ADVICE}"
