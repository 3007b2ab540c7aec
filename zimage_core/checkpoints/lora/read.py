"""LoRA files of every trainer and kind, read into one form.

What is read are the file's own numbers, untouched; only where a file merges two of our matrices are rows cut. What has
no place is named, nothing is dropped silently.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from torch import Tensor

from ...adapters import Delta, Lora, Target
from ..formats.files import headers_of, read_safetensors
from ..formats.safetensors_header import CheckpointError, Entry
from ..identify.verdict import judge
from .decode import alphas_of, bias_delta, weight_delta
from .keys import TEXT_ENCODER, family_of, flatten, split_ending, stranger_of, targets_of

Tensors = Mapping[str, Tensor]
Alpha = Callable[[str, int], float | None]  # of a module's name and rank
ADVICE = "use a LoRA trained for Z-Image, from models/loras"


def read_lora(source: str | Path | Tensors, metadata: Mapping[str, str] | None = None) -> Lora:
    """The changes a LoRA file makes, under our names. Raises `CheckpointError` with one clear sentence."""
    if isinstance(source, Mapping):
        return _lora(source, metadata or {}, "the state dict")
    tensors: dict[str, Tensor] = {}
    told: dict[str, str] = {}
    for file, header in headers_of(Path(source)).items():
        header.check_complete()
        _check_kind(header.tensors, header.metadata, header.file)
        told.update(header.metadata)
        tensors.update(read_safetensors(file))
    return _lora(tensors, told, Path(source).name)


def _lora(tensors: Tensors, metadata: Mapping[str, str], file: str) -> Lora:
    text_encoder = {key for key in tensors if TEXT_ENCODER.match(key)}
    ours = {key: tensor for key, tensor in tensors.items() if key not in text_encoder}
    modules, unmatched = _modules(ours)
    alpha = alphas_of(metadata)
    deltas: dict[Target, Delta] = {}
    redundant: list[str] = []
    for module in sorted(modules, key=_preference, reverse=True):
        found = list(_deltas(module, modules[module], alpha, file))
        if not found:
            unmatched.append(module)
        for target, delta in found:
            if _is_said(target, deltas):
                redundant.append(module)
            else:
                deltas[target] = delta
    if not deltas:
        raise CheckpointError(_refusal(ours, len(tensors), file))
    return Lora(
        file=file,
        family=family_of(ours),
        deltas=deltas,
        unmatched=tuple(sorted(unmatched)),
        text_encoder=tuple(sorted(text_encoder)),
        redundant=tuple(redundant),
    )


def _modules(tensors: Tensors) -> tuple[dict[str, dict[str, Tensor]], list[str]]:
    """Tensors by module and role, and the keys whose ending says nothing."""
    modules: defaultdict[str, dict[str, Tensor]] = defaultdict(dict)
    strange: list[str] = []
    for key, tensor in tensors.items():
        split = split_ending(key)
        if split is None:
            strange.append(key)
        else:
            module, role = split
            modules[module][role] = tensor
    return modules, strange


def _deltas(module: str, found: Tensors, alpha: Alpha, file: str) -> Iterator[tuple[Target, Delta]]:
    """All changes of one module of the file; none where we have no such module."""
    targets = targets_of(module)
    if not targets:
        return
    try:
        weight, bias = weight_delta(found, partial(alpha, module)), bias_delta(found)
        if weight is not None:
            yield from zip(targets, _stacked(weight, len(targets)), strict=True)
    except ValueError as error:
        raise CheckpointError(f"{file} is damaged at {module[:80]}: {error}; download it again") from error
    if bias is not None:
        yield Target(targets[0].parameter.removesuffix("weight") + "bias", targets[0].part), bias


def _stacked(delta: Delta, count: int) -> list[Delta]:
    """The changes to so many matrices that stand on top of each other in one."""
    if not delta.shape or delta.shape[0] % count:
        raise ValueError(f"its shape is {list(delta.shape)}, which cannot be cut into {count}")
    height = delta.shape[0] // count
    return [delta.rows(index * height, (index + 1) * height) for index in range(count)] if count > 1 else [delta]


def _preference(module: str) -> tuple[bool, str]:
    """Which of two names for the same is kept, the larger: queries, keys and values apart, and `to_out` over `out`."""
    return any(target.part is not None for target in targets_of(module)), module


def _is_said(target: Target, deltas: Mapping[Target, Delta]) -> bool:
    """Whether a change to the same rows is there already."""
    parts = (Target(target.parameter, part) for part in (0, 1, 2))
    return target in deltas or (target.part is None and any(part in deltas for part in parts))


def _check_kind(entries: Mapping[str, Entry], metadata: Mapping[str, str], file: str) -> None:
    """Refuse a file of another kind before its tensors are read."""
    if not any(split_ending(key) for key in entries):
        raise CheckpointError(f"{file} is {judge(entries, metadata, file).what}, not a LoRA; {ADVICE}")


def _refusal(ours: Tensors, count: int, file: str) -> str:
    """Why nothing of a file can be used."""
    model, first = stranger_of(ours), min(map(flatten, ours), default="")
    if not ours:
        what = "a LoRA for a text encoder alone"
    else:
        what = f"a LoRA for {model}" if model else f"a LoRA for another model (its keys begin with {first[:80]})"
    return f"{file} is {what}: none of its {count} tensors belongs to a Z-Image weight; {ADVICE}"
