"""TIES and DARE as a weight patch of ComfyUI, which computes the merged weight when a MODEL is loaded."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import comfy.lora
import comfy.model_management
import torch
from comfy.weight_adapter.base import WeightAdapterBase
from torch import Tensor

from ....zimage_core.merging import Method, combined
from .weight_adapters import DeltaAdapter

KeyPatches = list[Any]  # of one weight, as `ModelPatcher.get_key_patches` tells them: [(weight, convert), *patches]


@dataclass(frozen=True)
class Plan:
    """What stays where it is when ComfyUI moves an adapter's tensors; not a tuple, so that ComfyUI leaves it alone."""

    method: Method
    name: str  # the parameter's
    factors: tuple[float, ...]  # of the fine-tunes


class MergeAdapter(WeightAdapterBase):
    """Fine-tunes and LoRAs of one parameter, joined by a method over what the weight is before.

    `weights` is (plan, what each source has): key patches of a fine-tune, a `DeltaAdapter` of a LoRA, None of one that
    does not change this parameter.
    """

    name = "zimage_merge"

    def __init__(self, loaded_keys: set[str], weights: tuple[Plan, list[Any]]) -> None:
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
        """The merged weight, in place."""
        plan, sources = self.weights
        base = weight.float()
        both = zip(sources, plan.factors, strict=True)
        differences = [_difference(source, factor, base, key) for source, factor in both]
        found = combined(differences, plan.method, plan.name)
        if found is not None:
            weight += function((strength * found).to(weight.dtype))
        return weight


def _difference(source: Any, factor: float, base: Tensor, key: str) -> Tensor | None:
    """What a source adds to a weight, times its own weight, in float32."""
    if source is None:
        return None
    if isinstance(source, DeltaAdapter):  # it holds its own strengths
        return source.calculate_weight(base.clone(), key, 1.0, 1.0, None, _same) - base
    return factor * (value_of(source, base.device, key) - base)


def value_of(patches: KeyPatches, device: torch.device, key: str) -> Tensor:
    """The weight of a fine-tune, with its own patches, in float32."""
    (weight, convert), *rest = patches
    copy = comfy.model_management.cast_to_device(weight, device, torch.float32, copy=True)
    return comfy.lora.calculate_weight(rest, convert(copy, inplace=True), key)


def _same(tensor: Tensor) -> Tensor:
    return tensor
