"""Weights of a user's file into a network made of ComfyUI's layers.

Packed weights stay packed where ComfyUI's own layers support their format, as the tensors its loaders expect; all
others are unpacked exactly. Either way one block is converted at a time, so nothing is in memory twice.
"""

import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

import comfy.ops
import comfy.quant_ops
import comfy.utils
import torch
from torch import Tensor, nn

from ....zimage_core.checkpoints.formats.packed import PackedWeight, StoredTensor
from ....zimage_core.checkpoints.load import OpenedNetwork, open_network
from ....zimage_core.checkpoints.networks import NetworkSpec

Config = TypeVar("Config")
Module = TypeVar("Module", bound=nn.Module)

MIXED_PRECISION = {"mixed_ops": True}  # what ComfyUI's own detection returns for a file of packed layers
EMBEDDING_FORMATS = ("float8_e4m3fn", "float8_e5m2", "int8_tensorwise")  # those its embedding can look rows up in


def open_file(path: str, network: NetworkSpec[Config, Module]) -> OpenedNetwork[Config, Module]:
    """A network found in a user's file, whose tensors are read as ComfyUI reads its own."""
    return open_network(path, network, read=_read)


def _read(file: Path) -> dict[str, Tensor]:
    return comfy.utils.load_torch_file(str(file), safe_load=True)


def loadable_packed(opened: OpenedNetwork[Any, Any]) -> set[str]:
    """Keys, in the file's layout, of packed weights that ComfyUI's layers can hold without unpacking."""
    layers = dict(opened.skeleton.named_modules())
    to_model, placeholder = opened.weights.layout.to_model, torch.empty(0)
    return {
        key
        for key, tensor in opened.weights.tensors.items()
        # one third of a fused matrix has no key of its own in the model, so it finds no layer and is unpacked
        if isinstance(tensor, PackedWeight) and _supports(layers, next(iter(to_model({key: placeholder}))), tensor)
    }


def _supports(layers: Mapping[str, nn.Module], key: str, weight: PackedWeight) -> bool:
    """Whether ComfyUI's layer of this key can compute with a weight of this format."""
    layer = layers.get(key.removesuffix(".weight"))
    if weight.format not in comfy.quant_ops.QUANT_ALGOS or not hasattr(comfy.ops, "mixed_precision_ops"):
        return False
    return isinstance(layer, nn.Linear) or (isinstance(layer, nn.Embedding) and weight.format in EMBEDDING_FORMATS)


def load_weights(
    network: nn.Module,
    opened: OpenedNetwork[Any, Any],
    *,
    dtype: torch.dtype,
    packed: Collection[str] = (),
    assign: bool,
    convert_block: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]] = dict,
) -> None:
    """Give a network its weights: those named in `packed` as they are, other packed ones unpacked to `dtype`.

    `assign` lets the network use the file's own memory, as dynamic VRAM needs it; otherwise values are copied and
    cast. `convert_block` is applied to each block's tensors first.
    """

    def convert(key: str, tensor: StoredTensor, shape: tuple[int, ...]) -> Mapping[str, Tensor]:
        if isinstance(tensor, Tensor):
            return {key: tensor}
        return packed_state(key, tensor) if key in packed else {key: tensor.unpack(dtype, shape)}

    for block in opened.weights.blocks(opened.skeleton, convert):
        _load_block(network, convert_block(block), assign)


def packed_state(key: str, weight: PackedWeight) -> dict[str, Tensor]:
    """A packed weight as ComfyUI's loaders expect it in a state dict: its tensors, and a marker of its format."""
    layer = key.removesuffix("weight")
    marker = json.dumps({**weight.settings, "format": weight.format}).encode()
    return {
        **{layer + name: tensor for name, tensor in weight.stored.items()},
        layer + "comfy_quant": torch.frombuffer(bytearray(marker), dtype=torch.uint8),
    }


def _load_block(network: nn.Module, block: Mapping[str, Tensor], assign: bool) -> None:
    """Load tensors layer by layer: a packed layer needs its weight and scales in one call, and nothing else."""
    layers: dict[str, dict[str, Tensor]] = {}
    for key, tensor in block.items():
        owner, _, name = key.rpartition(".")
        layers.setdefault(owner, {})[name] = tensor
    for owner, tensors in layers.items():
        layer = network.get_submodule(owner)
        if next(layer.children(), None) is None:
            layer.load_state_dict(tensors, strict=False, assign=assign)
            continue
        for name, tensor in tensors.items():  # pad tokens, which are parameters of the whole network
            if assign:
                setattr(layer, name, nn.Parameter(tensor, requires_grad=False))
            else:
                getattr(layer, name).data.copy_(tensor)
