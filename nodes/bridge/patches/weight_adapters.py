"""Weight deltas as ComfyUI weight patches.

ComfyUI has weight adapters for LoRA, LoHa and LoKr and a patch type for full differences. Its DoRA divides rows by
their norm in the original weight W instead of W + dV, its `set` patch ignores the strength, and its BOFT needs an
alpha, so deltas that depend on the weight become one `DeltaAdapter` a parameter, which lets the core compute dW.

ComfyUI applies patches one after the other, each to what the one before left. A delta was trained on W itself, so the
`DeltaAdapter` stands before additions: then their order does not matter, in one node or in several.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import comfy.model_management
import torch
from comfy.weight_adapter import LoHaAdapter, LoKrAdapter, LoRAAdapter
from comfy.weight_adapter.base import WeightAdapterBase
from torch import Tensor

from ....zimage_core.adapters import (
    Additive,
    FullDifference,
    LoHa,
    LoKr,
    LowRank,
    ScaledDelta,
    tensors_of,
    total_change,
    with_tensors,
)

DORA_LENGTHS = {LoRAAdapter: 4, LoHaAdapter: 7, LoKrAdapter: 8}  # the place of them in the weights of a stock adapter


def weight_patch(delta: Additive) -> Any:
    """What `ModelPatcher.add_patches` takes for a delta that does not depend on the weight."""
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


def add_dependent(clone: Any, key: str, deltas: Sequence[ScaledDelta]) -> None:
    """Add deltas that depend on the weight: with those of an earlier node, before all patches that only add."""
    clone.add_patches({key: DeltaAdapter.of(deltas)}, 1.0)
    *patches, added = clone.patches[key]
    start = max((index + 1 for index, patch in enumerate(patches) if not _adds(patch)), default=0)
    before = patches[start - 1] if start else None
    if before is not None and isinstance(before[1], DeltaAdapter):
        earlier = before[1].weights[0].deltas
        patches[start - 1] = (added[0], DeltaAdapter.of([*earlier, *deltas]), *added[2:])
        clone.patches[key] = patches
    else:
        clone.patches[key] = [*patches[:start], added, *patches[start:]]


@dataclass(frozen=True)
class Structure:
    """Deltas of one parameter, of which only the structure is used; not a tuple, so that ComfyUI leaves it alone."""

    deltas: tuple[ScaledDelta, ...]


class DeltaAdapter(WeightAdapterBase):
    """Deltas of one parameter that the core applies, all to the same weight.

    `weights` is (structure, tensors). ComfyUI's dynamic VRAM exchanges the tensors in that tuple for copies on the GPU
    and constructs the adapter again from it, so the deltas alone, whose tensors stay in RAM, are only structure.
    """

    name = "zimage"

    def __init__(self, loaded_keys: set[str], weights: tuple[Structure, tuple[Tensor, ...]]) -> None:
        self.loaded_keys = loaded_keys
        self.weights = weights

    @staticmethod
    def of(deltas: Sequence[ScaledDelta]) -> "DeltaAdapter":
        """The adapter of these deltas."""
        tensors = tuple(tensor for scaled in deltas for tensor in tensors_of(scaled.delta))
        return DeltaAdapter(set(), (Structure(tuple(deltas)), tensors))

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
        """The changed weight, in place."""
        structure, tensors = self.weights
        move = comfy.model_management.cast_to_device
        moved = iter([move(tensor, weight.device, tensor.dtype) for tensor in tensors])
        deltas = [scaled._replace(delta=with_tensors(scaled.delta, moved)) for scaled in structure.deltas]
        weight += function((strength * total_change(weight.float(), deltas)).to(weight.dtype))
        return weight


def _adds(patch: tuple[Any, ...]) -> bool:
    """Whether a patch of ComfyUI only adds to the weight, whatever that is."""
    _, form, strength_model, *_ = patch
    lengths = DORA_LENGTHS.get(type(form))
    is_stock_sum = lengths is not None and form.weights[lengths] is None
    is_difference = isinstance(form, tuple) and (len(form) == 1 or form[0] == "diff")
    return strength_model == 1.0 and (is_stock_sum or is_difference)


def _factor(factor: tuple[Tensor, ...]) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """A LoKr factor as (full, a, b): either the full matrix or the two it is the product of."""
    return (factor[0], None, None) if len(factor) == 1 else (None, factor[0], factor[1])
