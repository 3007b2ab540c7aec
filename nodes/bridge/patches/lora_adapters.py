"""Changes to weights in the forms ComfyUI's patcher knows.

LoRA, LoHa, LoKr and full differences have a form there. A DoRA and a new value do not: native brings rows to the
length the plain weight's had, not the changed one's, and sets new values whatever the strength. They go in as an
adapter that asks the core.
"""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

import comfy.model_management
import torch
from comfy.weight_adapter import LoHaAdapter, LoKrAdapter, LoRAAdapter
from comfy.weight_adapter.base import WeightAdapterBase
from torch import Tensor

from ....zimage_core.adapters import Delta, Full, Hadamard, Kronecker, LowRank


def native_form(delta: Delta) -> Any:
    """What `ModelPatcher.add_patches` takes for a change."""
    match delta:
        case LowRank():
            return LoRAAdapter(set(), (delta.up, delta.down, delta.alpha, None, None, None))
        case Hadamard():
            left, right = (delta.w1_a, delta.w1_b), (delta.w2_a, delta.w2_b)
            return LoHaAdapter(set(), (*left, delta.alpha, *right, None, None, None))
        case Kronecker():
            (w1, w1_a, w1_b), (w2, w2_a, w2_b) = _factor(delta.w1), _factor(delta.w2)
            return LoKrAdapter(set(), (w1, w2, delta.alpha, w1_a, w1_b, w2_a, w2_b, None, None))
        case Full():
            return ("diff", (delta.diff,))
        case _:
            return CoreAdapter(set(), flattened(delta))


class CoreAdapter(WeightAdapterBase):
    """A change only the core can make. Its tensors lie open in `weights`, where dynamic VRAM looks for them."""

    name = "zimage"

    def __init__(self, loaded_keys: set[str], weights: Any) -> None:
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
        """The changed weight, in place, since it may be some rows of a larger one."""
        delta = rebuilt(self.weights, weight.device)
        weight += function((strength * delta.change(weight.float())).to(weight.dtype))
        return weight


def flattened(delta: Any) -> tuple[Any, ...]:
    """A change as nested tuples: its class, then its fields."""
    values = (getattr(delta, field.name) for field in fields(delta))
    return type(delta), *(flattened(value) if is_dataclass(value) else value for value in values)


def rebuilt(weights: tuple[Any, ...], device: torch.device) -> Any:
    """The change again, its tensors on a device."""
    kind, *values = weights
    if not isinstance(kind, type):
        return tuple(_placed(value, device) for value in weights)
    return kind(**{field.name: _placed(value, device) for field, value in zip(fields(kind), values, strict=True)})


def _placed(value: Any, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        return comfy.model_management.cast_to_device(value, device, value.dtype)
    return rebuilt(value, device) if isinstance(value, tuple) else value


def _factor(factor: tuple[Tensor, ...]) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """A whole factor, or its two halves."""
    return (factor[0], None, None) if len(factor) == 1 else (None, factor[0], factor[1])
