"""The main layers of any file quantized to ComfyUI's int8 format, for its own int8 kernels and memory management."""

import re
from collections.abc import Collection, Mapping

from torch import Tensor

from ....zimage_core.checkpoints.formats.packed import PackedWeight, StoredTensor
from ....zimage_core.checkpoints.formats.quantized import PackedLayer, pack
from ....zimage_core.kernels import quantize
from ....zimage_core.quant import MATRICES, largest_group
from ....zimage_core.quant.int8 import int8_spec
from .host import INT8_FORMAT, int8_refusal
from .weights import packed_state

MAIN_LAYERS = re.compile(rf"layers\.\d+\.({'|'.join(map(re.escape, MATRICES))})\.weight")  # not those of the refiners
INT8 = "int8 (faster, not exact)"  # as nodes offer it


def possible(precisions: Collection[str]) -> list[str]:
    """The precisions that this ComfyUI can compute in, for a dropdown."""
    return [each for each in precisions if each != INT8 or int8_refusal() is None]


def check_choice(precision: str | None, precisions: Collection[str]) -> bool | str:
    """In place of ComfyUI's check of a dropdown, so that a saved graph with int8 runs where int8 is not offered.

    Returns True, or what is wrong. None is the value of a widget that another node feeds.
    """
    return precision is None or precision in precisions or f"'{precision}' is not one of {', '.join(precisions)}"


def is_int8_already(value: StoredTensor) -> bool:
    """Whether a file stores this weight in the int8 format."""
    return isinstance(value, PackedWeight) and value.format == INT8_FORMAT


def int8_form(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A block's tensors with the main layers' matrices rotated, quantized per row and marked for ComfyUI's loaders."""
    block: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        is_target = MAIN_LAYERS.fullmatch(key) and tensor.is_floating_point()
        block.update(packed_state(key, _packed(tensor)) if is_target else {key: tensor})
    return block


def _packed(weight: Tensor) -> PackedWeight:
    group = largest_group(weight.shape[1])
    quantized = quantize(weight.float(), int8_spec(group))
    rotation = {} if group is None else {"convrot": True, "convrot_groupsize": group}
    parts = {"weight": quantized.values, "weight_scale": quantized.scale}
    return pack(PackedLayer("", "", parts, {"format": INT8_FORMAT, **rotation}))
