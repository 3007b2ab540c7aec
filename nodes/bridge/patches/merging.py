"""Fine-tunes and LoRAs merged into a MODEL as patches on a clone, so that taking the node away leaves no trace.

A weighted sum is the patch that ComfyUI's own merging nodes set, with (1 - the sum of weights) on what was there. TIES
and DARE are a `MergeAdapter`. Parameters of the network itself (pad tokens), which no weight patch reaches and which
ComfyUI's own nodes leave as they are, are object patches.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ....zimage_core.adapters import Lora, ScaledDelta, parameter_shapes, quantized_layers
from ....zimage_core.checkpoints import DIT, Row, by_blocks, parse_rows, read_lora
from ....zimage_core.checkpoints.formats.packed import PackedWeight
from ....zimage_core.checkpoints.load import OpenedNetwork
from ....zimage_core.checkpoints.lora.row_strength import parse_strength
from ....zimage_core.checkpoints.lora.rows import looked_up
from ....zimage_core.merging import Method, Source
from ....zimage_core.merging.opened import stored
from ..loading import files
from ..loading.weights import open_file
from ..network.attach import DIFFUSION_MODEL
from . import loras
from .merge_adapter import KeyPatches, MergeAdapter, Plan, value_of
from .weight_adapters import DeltaAdapter

PREFIX = f"{DIFFUSION_MODEL}."
OTHER = "other_model"  # how the report names the second socket
NOTHING = "Nothing is merged: connect other_model, or write a file into files; every weight may be 0."


@dataclass(frozen=True)
class Tuned:
    """A fine-tune: its weights as key patches, its name and its weight."""

    source: Source
    patches: dict[str, KeyPatches]  # by parameter


@dataclass(frozen=True)
class Adapter:
    """A LoRA that fits the MODEL, and its weight."""

    source: Source
    lora: Lora


def merged(model: Any, other: Any, weight: float, blocks: str, text: str, method: Method) -> tuple[Any, str]:
    """A clone of a MODEL with another MODEL and files merged in, and a report; the MODEL itself if none acts.

    Raises ValueError with one sentence for lines that cannot be read, and for files that do not fit.
    """
    network = model.model.diffusion_model
    shapes = parameter_shapes(network)
    sources: list[Tuned | Adapter] = []
    if other is not None:
        strength = parse_strength(1, f"{weight} blocks {blocks}" if blocks.strip() else f"{weight}")
        sources.append(_tuned_model(other, Source(Path(OTHER), strength), shapes))
    sources += [_opened(row, name, shapes) for row, name in chosen(text)]
    acting = [each for each in sources if each.source.weight is None or each.source.weight.acts]
    report = [_line(each, shapes) for each in sources]
    if not acting:
        return model, "\n".join([*report, NOTHING])
    clone = _summed(model, acting, shapes) if method.name == "sum" else _joined(model, acting, shapes, method)
    return clone, "\n".join([*report, method.describe(), *_quantized(network)])


def chosen(text: str) -> list[tuple[Row, str]]:
    """The lines that are on, each with the file it means. Raises ValueError."""
    model_names, lora_names = files.choices(DIT), files.lora_names()
    found = [(row, _name_of(row, [*model_names, *lora_names])) for row in parse_rows(text)]
    for row, name in found:
        if name in model_names and name in lora_names:
            raise ValueError(
                f"Line {row.line}: {name} is in both models/diffusion_models and models/loras, so which of the two is "
                "meant is unclear. Rename one of the files."
            )
    return found


def check(text: str | None) -> bool | str:
    """True, or one sentence on the first line that cannot be read or whose file is not there; None is linked."""
    try:
        chosen(text or "")
    except (ValueError, OSError) as error:
        return str(error)
    return True


def state(text: str) -> str:
    """Changes when one of the files does."""
    try:
        return " ".join(files.file_state(_path(name)) for _, name in chosen(text))
    except (ValueError, OSError):
        return ""  # running tells what is wrong


def _name_of(row: Row, names: Sequence[str]) -> str:
    """The file that a line means."""
    found, near = looked_up(row, names)
    if found is not None:
        return found
    if near:
        raise ValueError(
            f"Line {row.line}: there is no file {row.name} in models/diffusion_models or models/loras. The nearest "
            f"names are {', '.join(near)}; write one of them, or put # before the line."
        )
    raise ValueError(
        f"Line {row.line}: there is no file {row.name} in models/diffusion_models or models/loras, nor one of a "
        "similar name. Put the file there, or put # before the line."
    )


def _path(name: str) -> str:
    return files.lora_path(name) if name in files.lora_names() else files.path_of(DIT, name)


def _opened(row: Row, name: str, shapes: dict[str, tuple[int, ...]]) -> Tuned | Adapter:
    """A line's file: a LoRA by its folder, else a model."""
    source = Source(Path(row.name), row.strength)
    if name in files.lora_names():
        return Adapter(source, read_lora(files.lora_path(name)).fitted(shapes))
    opened = open_file(files.path_of(DIT, name), DIT)
    if any(isinstance(each, PackedWeight) for each in opened.weights.tensors.values()):
        raise ValueError(
            f"{row.name} is quantised, and would be unpacked as a whole here: load it with Z-Image Load Model and "
            "connect it to other_model, or take the bfloat16 file"
        )
    return _tuned_file(opened, source, shapes)


def _tuned_file(opened: OpenedNetwork[Any, Any], source: Source, shapes: dict[str, tuple[int, ...]]) -> Tuned:
    """Of a file's tensors, which stay memory-mapped where the file has them under the model's names."""
    _check_shapes(source, {name: tuple(each.shape) for name, each in opened.skeleton.state_dict().items()}, shapes)
    return Tuned(source, {name: [(stored(opened, name), _unchanged)] for name in shapes if source.weight_of(name)})


def _tuned_model(other: Any, source: Source, shapes: dict[str, tuple[int, ...]]) -> Tuned:
    _check_shapes(source, parameter_shapes(other.model.diffusion_model), shapes)
    patches = other.get_key_patches(PREFIX)
    own = {name: other.get_model_object(PREFIX + name) for name in shapes if "." not in name}
    found = {name: patches[PREFIX + name] for name in shapes if source.weight_of(name)}
    return Tuned(source, found | {name: [(each.detach(), _unchanged)] for name, each in own.items() if name in found})


def _check_shapes(source: Source, found: dict[str, tuple[int, ...]], shapes: dict[str, tuple[int, ...]]) -> None:
    if wrong := [name for name, shape in shapes.items() if found.get(name) != shape]:
        raise ValueError(
            f"{source.file.name} is not of the same architecture as model: {len(wrong)} of {len(shapes)} weights "
            f"differ in shape or are missing, such as {wrong[0]}; merge fine-tunes of one model"
        )


def _summed(model: Any, sources: Sequence[Tuned | Adapter], shapes: dict[str, tuple[int, ...]]) -> Any:
    """A weighted sum of fine-tunes, then the LoRAs on it."""
    clone = model.clone()
    tuned = [each for each in sources if isinstance(each, Tuned)]
    for name in shapes:
        terms = [(each.source.weight_of(name), each.patches[name]) for each in tuned if each.source.weight_of(name)]
        if "." not in name:
            _set_own(clone, name, terms)
            continue
        kept = 1 - sum(weight for weight, _ in terms)
        for place, (weight, patches) in enumerate(terms):
            clone.add_patches({PREFIX + name: patches}, weight, 1.0 if place else kept)
    adapters = [each for each in sources if isinstance(each, Adapter)]
    parts = [(part, share * _level(each)) for each in adapters for part, share in _by_blocks(each)]
    return loras.apply(clone, parts) if parts else clone


def _set_own(clone: Any, name: str, terms: Sequence[tuple[float, KeyPatches]]) -> None:
    """A parameter of the network itself; summed in float64, so that weight 1 gives the other's to the bit."""
    if not terms:
        return
    own = clone.get_model_object(PREFIX + name)
    total = base = own.detach().cpu().double()
    for weight, patches in terms:
        total = total + weight * (value_of(patches, base.device, PREFIX + name).double() - base)
    clone.add_object_patch(PREFIX + name, nn.Parameter(total.to(own), requires_grad=False))


def _joined(model: Any, sources: Sequence[Tuned | Adapter], shapes: dict[str, tuple[int, ...]], method: Method) -> Any:
    """Fine-tunes and LoRAs joined by TIES or DARE."""
    clone = model.clone()
    deltas = [_deltas(each) if isinstance(each, Adapter) else {} for each in sources]
    for name in shapes:
        held = [
            each.patches.get(name) if isinstance(each, Tuned) else _adapter(by_name.get(name))
            for each, by_name in zip(sources, deltas, strict=True)
        ]
        if not any(each is not None for each in held):
            continue
        plan = Plan(method, name, tuple(each.source.weight_of(name) for each in sources))
        adapter = MergeAdapter(set(), (plan, held))
        if "." in name:
            clone.add_patches({PREFIX + name: adapter}, 1.0)
            continue
        own = clone.get_model_object(PREFIX + name)
        value = adapter.calculate_weight(own.detach().float().clone(), PREFIX + name, 1.0, 1.0, None, _unchanged)
        clone.add_object_patch(PREFIX + name, nn.Parameter(value.to(own.dtype), requires_grad=False))
    return clone


def _deltas(adapter: Adapter) -> dict[str, list[ScaledDelta]]:
    by_name: defaultdict[str, list[ScaledDelta]] = defaultdict(list)
    for target, delta in adapter.lora.deltas.items():
        if weight := adapter.source.weight_of(target.parameter):
            by_name[target.parameter].append(ScaledDelta(target, delta, weight))
    return by_name


def _adapter(deltas: Sequence[ScaledDelta] | None) -> DeltaAdapter | None:
    return DeltaAdapter.of(deltas) if deltas else None


def _by_blocks(adapter: Adapter) -> list[tuple[Lora, float]]:
    weight = adapter.source.weight
    return by_blocks(adapter.lora, weight) if weight else [(adapter.lora, 1.0)]


def _level(adapter: Adapter) -> float:
    return adapter.source.weight.first if adapter.source.weight else 1.0


def _line(each: Tuned | Adapter, shapes: dict[str, tuple[int, ...]]) -> str:
    """What a report says of a source."""
    name, weight = each.source.file.as_posix(), each.source.weight or 1
    absent = ", ".join(each.source.weight.without_block(shapes)) if each.source.weight else ""
    match each, bool(absent):
        case Adapter(), False:
            return f"{name}, LoRA: {weight}"
        case Adapter(), True:
            return f"{name}, LoRA: {weight} (no such blocks here: {absent})"
        case _, False:
            return f"{name}, fine-tune: {weight}"
        case _, True:
            return f"{name}, fine-tune: {weight} (no such blocks here: {absent})"


def _quantized(network: nn.Module) -> list[str]:
    names = quantized_layers(network)
    return [f"{len(names)} layers are quantised, and rounded again once merged"] if names else []


def _unchanged(weight: Tensor, **_: Any) -> Tensor:
    return weight
