"""ComfyUI's transformer with its own int8 layers, which hold what its published int8 files hold."""

import json
from typing import Any

import torch
from torch import Tensor

from zimage_core.kernels import quantize
from zimage_core.quant import MATRICES, largest_group
from zimage_core.quant.int8 import int8_spec

from ..random_weights import State
from ..variants import BLOCK_PARTS
from .comfyui import ComfyUI

FORMAT = "int8_tensorwise"


class ComfyUIInt8(ComfyUI):
    """ComfyUI's networks, the transformer's main layers in int8."""

    name = "ComfyUI, int8 (lossy)"
    parts = BLOCK_PARTS

    def operations(self) -> Any:
        """Layers that multiply in the format their weights are stored in."""
        return self.comfy.ops.mixed_precision_ops({"mixed_ops": True}, self.weights.setup.dtype)

    def state(self) -> State:
        """The shared weights, the main layers' matrices as in a published file."""
        targets = {f"layers.{i}.{name}.weight" for i in range(self.weights.setup.dit.n_layers) for name in MATRICES}
        state: State = {}
        for key, tensor in self.weights.dit.items():
            state.update(_int8(key, tensor) if key in targets else {key: tensor})
        return state


def _int8(key: str, weight: Tensor) -> State:
    """A matrix with its columns rotated, quantized by rows, and the marker by which ComfyUI knows the format."""
    group = largest_group(weight.shape[1])
    packed = quantize(weight.float(), int8_spec(group))
    rotation = {} if group is None else {"convrot": True, "convrot_groupsize": group}
    marker = json.dumps({"format": FORMAT, **rotation}).encode()
    return {
        key: packed.values,
        f"{key}_scale": packed.scale,
        f"{key.removesuffix('weight')}comfy_quant": torch.frombuffer(bytearray(marker), dtype=torch.uint8),
    }
