"""Weight deltas as ComfyUI weight patches.

ComfyUI has weight adapters for LoRA, LoHa and LoKr and a patch type for full differences. Its DoRA divides rows by
their norm in the original weight W instead of W + dV, its `set` patch ignores the strength, and its BOFT needs an
alpha, so deltas that depend on the weight become a `DeltaAdapter`, which lets the core compute dW.
"""

from collections.abc import Callable
from typing import Any

import comfy.model_management
import torch
from comfy.weight_adapter import LoHaAdapter, LoKrAdapter, LoRAAdapter
from comfy.weight_adapter.base import WeightAdapterBase
from torch import Tensor

from ....zimage_core.adapters import Delta, FullDifference, LoHa, LoKr, LowRank, tensors_of, with_tensors


def weight_patch(delta: Delta) -> Any:
    """What `ModelPatcher.add_patches` takes for a delta."""
    match delta:
        case LowRank():
            return LoRAAdapter(set(), (delta.up, delta.down, delta.alpha, None, None, None))
        case LoHa():
            w1, w2 = (delta.w1_a, delta.w1_b), (delta.w2_a, delta.w2_b)
            return LoHaAdapter(set(), (*w1, delta.alpha, *w2, None, None, None))
        case LoKr():
            (w1, w1_a, w1_b), (w2, w2_a, w2_b) = _factor(delta.w1), _factor(delta.w2)
            return LoKrAdapter(set(), (w1, w2, delta.alpha, w1_a, w1_b, w2_a, w2_b, None, None))
        case FullDifference():
            return ("diff", (delta.diff,))
        case _:
            return DeltaAdapter(set(), (delta, tensors_of(delta)))


class DeltaAdapter(WeightAdapterBase):
    """A delta that the core applies.

    `weights` is (delta, its tensors). ComfyUI's dynamic VRAM exchanges the tensors in that tuple for copies on the GPU
    and constructs the adapter again from it, so the delta alone, whose tensors stay in RAM, is only their structure.
    """

    name = "zimage"

    def __init__(self, loaded_keys: set[str], weights: tuple[Delta, tuple[Tensor, ...]]) -> None:
        self.loaded_keys = loaded_keys
        self.weights = weights

    def calculate_weight(
        self,
        weight: Tensor,
        key: str,
        strength: float,
        strength_model: float,
        offset: Any,
        function: Callable[[Tensor], Tensor],
        intermediate_dtype: torch.dtype = torch.float32,
        original_weight: Any = None,
    ) -> Tensor:
        """The changed weight, in place, since it may be a view of some rows of a larger one."""
        structure, tensors = self.weights
        move = comfy.model_management.cast_to_device
        delta = with_tensors(structure, (move(tensor, weight.device, tensor.dtype) for tensor in tensors))
        weight += function(delta.change(weight.float(), strength).to(weight.dtype))
        return weight


def _factor(factor: tuple[Tensor, ...]) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """A LoKr factor as (full, a, b): either the full matrix or the two it is the product of."""
    return (factor[0], None, None) if len(factor) == 1 else (None, factor[0], factor[1])
