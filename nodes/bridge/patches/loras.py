"""LoRAs on a MODEL through ComfyUI's ModelPatcher, and LoRA files converted to another naming.

Everything happens on a clone of the MODEL, in one of three ways:

- weight patches, which ComfyUI applies on any device and reverts by itself;
- object patches for the pad tokens, parameters of the network itself, which weight patches do not reach;
- injections that add side branches to quantized layers, since a weight patch would quantize the weight a second time.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from comfy.patcher_extension import CallbacksMP, PatcherInjection
from torch import Tensor, nn

from ....zimage_core.adapters import (
    Additive,
    Injection,
    Lora,
    ScaledDelta,
    deltas_by_parameter,
    is_quantized,
    merged_weight,
    parameter_shapes,
)
from ....zimage_core.checkpoints import read_lora, save_lora
from ..loading import files
from ..network.attach import DIFFUSION_MODEL
from .weight_adapters import add_dependent, weight_patch

PREFIX = f"{DIFFUSION_MODEL}."  # of the network's parameters in a MODEL's keys
KEY = "zimage_loras"
SLOTS = tuple((f"lora_{number}", f"strength_{number}") for number in range(1, 5))  # the loader node's widget names
ACTIVE: WeakKeyDictionary[nn.Module, Injection] = WeakKeyDictionary()  # the side branches a network has now


def load_loras(model: Any, choices: Sequence[tuple[str, float]]) -> tuple[Any, str]:
    """A clone of the MODEL with LoRAs by file name and strength, and a report; the MODEL itself if none is active."""
    chosen = [(name, strength) for name, strength in choices if name != files.NO_LORA]
    shapes = parameter_shapes(model.model.diffusion_model)
    loras = [(read_lora(files.lora_path(name)).fitted(shapes), strength) for name, strength in chosen if strength]
    active = iter(loras)
    lines = [
        _description(*next(active)) if strength else f"{name}: left out, its strength is 0" for name, strength in chosen
    ]
    return (apply(model, loras) if loras else model), "\n\n".join(lines) or "No LoRA is chosen."


def apply(model: Any, loras: Sequence[tuple[Lora, float]]) -> Any:
    """A clone of a MODEL with LoRAs, which have to fit it (`Lora.fitted`)."""
    network = model.model.diffusion_model
    clone = model.clone()
    for_side_branches: dict[str, list[ScaledDelta]] = {}
    for parameter, deltas in deltas_by_parameter(network, loras).items():
        owner, _, name = parameter.rpartition(".")
        if is_quantized(network.get_submodule(owner), name):
            for_side_branches[parameter] = deltas
        elif not owner:
            _add_object_patch(clone, parameter, deltas)
        else:
            _add_weight_patches(clone, network.get_parameter(parameter), parameter, deltas)
    if for_side_branches:
        earlier: list[SideBranchInjection] = clone.get_injections(KEY) or []
        clone.set_injections(KEY, [SideBranchInjection(for_side_branches, *(each.deltas for each in earlier))])
        clone.remove_callbacks_with_key(CallbacksMP.ON_CLONE, KEY)
        clone.add_callback_with_key(CallbacksMP.ON_CLONE, KEY, _prepare_clone)
        _prepare_clone(model, clone)
    return clone


def convert(name: str, naming: str, prefix: str) -> str:
    """Write a LoRA file in another naming to ComfyUI's output folder; returns the new file's path."""
    if name == files.NO_LORA:
        raise ValueError("No LoRA is chosen to convert. Pick a file from models/loras in lora_name.")
    lora = read_lora(files.lora_path(name))
    try:
        path = files.output_path(prefix, ".safetensors")
        save_lora(lora, path, naming)
    except OSError as error:
        raise ValueError(
            f"The LoRA cannot be written to ComfyUI's output folder ({error.strerror}), and nothing was left there. "
            "Make room or allow writing there, or change the folder in filename_prefix."
        ) from error
    return str(path)


class SideBranchInjection(PatcherInjection):
    """Deltas beside quantized layers. ComfyUI injects them when it loads the MODEL and ejects them for another one."""

    def __init__(self, *deltas: Mapping[str, Sequence[ScaledDelta]]) -> None:
        super().__init__(inject=self.inject_branches, eject=self.eject_branches)
        parameters = dict.fromkeys(key for each in deltas for key in each)
        self.deltas = {key: [delta for each in deltas for delta in each.get(key, ())] for key in parameters}

    def inject_branches(self, patcher: Any) -> None:
        network = patcher.model.diffusion_model
        self.eject_branches(patcher)
        ACTIVE[network] = Injection()
        for parameter, deltas in self.deltas.items():
            layer = network.get_submodule(parameter.rpartition(".")[0])
            ACTIVE[network].add_side_branch(layer, deltas, patcher.load_device)

    def eject_branches(self, patcher: Any) -> None:
        injection = ACTIVE.pop(patcher.model.diffusion_model, None)
        if injection is not None:
            injection.eject()


def _prepare_clone(model: Any, clone: Any) -> None:
    """Correct a clone's state: it copies `is_injected` from a loaded MODEL and would eject branches when deleted.

    ComfyUI's save nodes write weights alone, without a word on the side branches: they are refused.
    """
    clone.is_injected = False
    clone.state_dict_for_saving = _refuse_to_save


def _refuse_to_save(*args: Any, **kwargs: Any) -> Any:
    raise ValueError(
        "This model's LoRAs run beside its quantised layers and would not be in the saved file. Load the model in "
        "bfloat16 to save it with them, or save it without the LoRAs."
    )


def _add_weight_patches(clone: Any, weight: Tensor, parameter: str, deltas: Sequence[ScaledDelta]) -> None:
    """One weight patch per addition; the patch of a part has the offset (dimension, start, length) of its rows."""
    name = PREFIX + parameter
    for target, delta, strength in deltas:
        if isinstance(delta, Additive):
            start, stop = target.rows(len(weight))
            key = name if target.part is None else (name, (0, start, stop - start))
            clone.add_patches({key: weight_patch(delta)}, strength)
    dependent = [scaled for scaled in deltas if not isinstance(scaled.delta, Additive)]
    if dependent:
        add_dependent(clone, name, dependent)


def _add_object_patch(clone: Any, parameter: str, deltas: Sequence[ScaledDelta]) -> None:
    """Replace a parameter of the network itself by one with the deltas merged in."""
    original = clone.get_model_object(PREFIX + parameter)
    merged = nn.Parameter(merged_weight(original.detach(), deltas), requires_grad=False)
    clone.add_object_patch(PREFIX + parameter, merged)


def _description(lora: Lora, strength: float) -> str:
    return "\n".join((lora.report().describe(), f"Strength: {strength:g}"))
