"""LoRAs on a MODEL through ComfyUI's own patcher, and written back to files.

Everything happens on a clone, in ComfyUI's terms: weight patches, which it applies wherever it keeps the weight and
takes back by itself; object patches for the pad tokens, which its patches never reach; and injections that run a LoRA
beside a quantised layer, as a patch would round the layer's weight a second time.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from comfy.patcher_extension import CallbacksMP, PatcherInjection
from torch import Tensor, nn

from ....zimage_core.adapters import Change, Injection, Lora, changed_weight, collect, is_quantised, parameter_shapes
from ....zimage_core.checkpoints import read_lora, save_lora
from ..loading import files
from ..network.attach import DIFFUSION_MODEL
from .lora_adapters import native_form

NETWORK = f"{DIFFUSION_MODEL}."
KEY = "zimage_loras"
ROWS = tuple((f"lora_{number}", f"strength_{number}") for number in range(1, 5))  # a loader's widgets, in pairs
LIVE: WeakKeyDictionary[nn.Module, Injection] = WeakKeyDictionary()  # what a network has in it now


def load_loras(model: Any, rows: Sequence[tuple[str, float]]) -> tuple[Any, str]:
    """The MODEL with LoRAs of these names and strengths, and what they are; itself where there is nothing to add."""
    wanted = [(name, strength) for name, strength in rows if name != files.NO_LORA]
    shapes = parameter_shapes(model.model.diffusion_model)
    loras = [(read_lora(files.lora_path(name)).fitted(shapes), strength) for name, strength in wanted if strength]
    told = iter(loras)
    lines = [_told(*next(told)) if strength else f"{name}: left out, its strength is 0" for name, strength in wanted]
    return (apply(model, loras) if loras else model), "\n\n".join(lines) or "No LoRA is chosen."


def apply(model: Any, loras: Sequence[tuple[Lora, float]]) -> Any:
    """A clone of a MODEL with LoRAs that fit it."""
    network = model.model.diffusion_model
    clone = model.clone()
    beside: dict[str, list[Change]] = {}
    for parameter, changes in collect(network, loras).items():
        owner, _, name = parameter.rpartition(".")
        if is_quantised(network.get_submodule(owner), name):
            beside[parameter] = changes
        elif not owner:
            _replace(clone, parameter, changes)
        else:
            _patch(clone, network.get_parameter(parameter), parameter, changes)
    if beside:
        earlier: list[SideBranches] = clone.get_injections(KEY) or []
        clone.set_injections(KEY, [SideBranches(beside, *(each.changes for each in earlier))])
        clone.remove_callbacks_with_key(CallbacksMP.ON_CLONE, KEY)
        clone.add_callback_with_key(CallbacksMP.ON_CLONE, KEY, _not_injected)
        _not_injected(model, clone)
    return clone


def convert(name: str, naming: str, prefix: str) -> str:
    """Write a LoRA file in another naming to ComfyUI's output folder."""
    if name == files.NO_LORA:
        raise ValueError("No LoRA is chosen to convert. Pick a file from models/loras in lora_name.")
    lora = read_lora(files.lora_path(name))
    path = files.output_path(prefix, ".safetensors")
    save_lora(lora, path, naming)
    return str(path)


class SideBranches(PatcherInjection):
    """LoRAs beside quantised layers. ComfyUI puts them in when it loads the model and takes them out for another."""

    def __init__(self, *changes: Mapping[str, Sequence[Change]]) -> None:
        super().__init__(inject=self.put_in, eject=self.take_out)
        parameters = dict.fromkeys(key for each in changes for key in each)
        self.changes = {key: [change for each in changes for change in each.get(key, ())] for key in parameters}

    def put_in(self, patcher: Any) -> None:
        network = patcher.model.diffusion_model
        self.take_out(patcher)
        LIVE[network] = Injection()
        for parameter, changes in self.changes.items():
            layer = network.get_submodule(parameter.rpartition(".")[0])
            LIVE[network].branch(layer, changes, patcher.load_device)

    def take_out(self, patcher: Any) -> None:
        injection = LIVE.pop(patcher.model.diffusion_model, None)
        if injection is not None:
            injection.eject()


def _not_injected(model: Any, clone: Any) -> None:
    """A clone of a loaded MODEL believes that it is loaded too, and takes the branches out when it is thrown away."""
    clone.is_injected = False


def _patch(clone: Any, weight: Tensor, parameter: str, changes: Sequence[Change]) -> None:
    """Give ComfyUI one patch for each change, to the rows it concerns."""
    for target, delta, strength in changes:
        start, stop = target.rows(len(weight))
        place = NETWORK + parameter
        key = place if target.part is None else (place, (0, start, stop - start))
        clone.add_patches({key: native_form(delta)}, strength)


def _replace(clone: Any, parameter: str, changes: Sequence[Change]) -> None:
    """Put a changed parameter in the place of one that belongs to the whole network."""
    plain = clone.get_model_object(NETWORK + parameter)
    changed = nn.Parameter(changed_weight(plain.detach(), changes), requires_grad=False)
    clone.add_object_patch(NETWORK + parameter, changed)


def _told(lora: Lora, strength: float) -> str:
    return f"{lora.report().describe()}\nStrength: {strength:g}"
