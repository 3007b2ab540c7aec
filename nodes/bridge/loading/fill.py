"""Weights of any file into networks made of ComfyUI's layers.

Packed weights stay packed where ComfyUI's own layers carry their format, in the form its loaders expect; all others
are unpacked exactly. Either way one block is handled at a time, so nothing is in memory twice.
"""

import json
import math
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import comfy.ops
import comfy.quant_ops
import comfy.utils
import torch
from torch import Tensor, nn

from ....zimage_core.checkpoints import Part, Weights, open_part
from ....zimage_core.checkpoints.formats.packed import Packed, Value

QUANTISED = {"mixed_ops": True}  # what ComfyUI's own detection answers for a file of packed layers
BY_ROW = ("float8_e4m3fn", "float8_e5m2", "int8_tensorwise")  # formats its embedding can look single rows up in


def open_file(path: str, part: Part) -> Weights:
    """A network's tensors in a user's file, read as ComfyUI reads its own."""
    return open_part(path, part, read=_read)


def _read(file: Path) -> dict[str, Tensor]:
    return comfy.utils.load_torch_file(str(file), safe_load=True)


def carried(weights: Weights, skeleton: nn.Module) -> set[str]:
    """Names, in the file's words, of packed weights that ComfyUI's layers can hold as they are."""
    nothing = torch.empty(0)
    return {
        key
        for key, value in weights.values.items()
        if isinstance(value, Packed) and _is_carried(value, weights.layout.to_ours({key: nothing}), skeleton)
    }


def _is_carried(value: Packed, renamed: Mapping[str, Any], skeleton: nn.Module) -> bool:
    """Alone, one third of a fused matrix has no name of ours, so it is not found here and has to be unpacked."""
    modules = dict(skeleton.named_modules())
    layer = modules.get(next(iter(renamed)).removesuffix(".weight"))
    if value.format not in comfy.quant_ops.QUANT_ALGOS or not hasattr(comfy.ops, "mixed_precision_ops"):
        return False
    return isinstance(layer, nn.Linear) or (isinstance(layer, nn.Embedding) and value.format in BY_ROW)


def storage_dtype(weights: Weights) -> torch.dtype:
    """The type most of a file's values are stored in; packed ones count as what they are unpacked to."""
    sizes: dict[torch.dtype, int] = {}
    for value in weights.values.values():
        dtype = value.dtype if isinstance(value, Tensor) else torch.bfloat16
        sizes[dtype] = sizes.get(dtype, 0) + math.prod(value.shape)
    return max(sizes, key=lambda dtype: sizes[dtype])


def count_parameters(weights: Weights) -> int:
    """How many numbers the network has."""
    return sum(math.prod(value.shape) for value in weights.values.values())


def fill(
    network: nn.Module,
    weights: Weights,
    skeleton: nn.Module,
    *,
    dtype: torch.dtype,
    packed: Collection[str] = (),
    assign: bool,
    form: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]] = dict,
) -> None:
    """Give a network its weights; those named in `packed` as they are, other packed ones unpacked to `dtype`.

    `skeleton` is the core's network without memory, which knows every shape. `assign` lets the network use the file's
    own memory, as dynamic VRAM wants it; otherwise values are copied and cast. `form` is what becomes of a block's
    tensors on the way.
    """

    def convert(key: str, value: Value, shape: tuple[int, ...]) -> Mapping[str, Tensor]:
        if isinstance(value, Tensor):
            return {key: value}
        return native_form(key, value) if key in packed else {key: value.unpack(dtype, shape)}

    for block in weights.blocks(skeleton, convert):
        _put(network, form(block), assign)


def native_form(key: str, value: Packed) -> dict[str, Tensor]:
    """A packed weight as ComfyUI's loaders want it: its parts by name, and a marker that says what they are."""
    if value.format not in comfy.quant_ops.QUANT_ALGOS:  # a file's would have been unpacked; this one we made
        raise ValueError(f"this ComfyUI is too old for {value.format} weights; update it, or choose another precision")
    layer = key.removesuffix("weight")
    marker = json.dumps({**value.settings, "format": value.format}).encode()
    return {
        **{layer + name: part for name, part in value.stored.items()},
        layer + "comfy_quant": torch.frombuffer(bytearray(marker), dtype=torch.uint8),
    }


def _put(network: nn.Module, block: Mapping[str, Tensor], assign: bool) -> None:
    """Load tensors layer by layer: a packed layer must find its weight and companions in one call, and only its own."""
    layers: dict[str, dict[str, Tensor]] = {}
    for key, tensor in block.items():
        owner, _, name = key.rpartition(".")
        layers.setdefault(owner, {})[name] = tensor
    for owner, tensors in layers.items():
        layer = network.get_submodule(owner)
        if next(layer.children(), None) is None:
            layer.load_state_dict(tensors, strict=False, assign=assign)
            continue
        for name, tensor in tensors.items():  # pads, which belong to the whole network
            if assign:
                setattr(layer, name, nn.Parameter(tensor, requires_grad=False))
            else:
                getattr(layer, name).data.copy_(tensor)
