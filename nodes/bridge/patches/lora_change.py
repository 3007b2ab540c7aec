"""How much a list of LoRAs changes a MODEL's weights, and strengths that keep it below a limit.

A change is measured as the Frobenius norm of what is added to all the weights that the list changes, as a share of
those weights' own norm. Where strengths vary over the steps, it is that of the step with the greatest.

The weights' norms are read once for each network, where the weights are and as they are without patches: the MODEL is
not loaded for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from ....zimage_core.adapters import (
    Lora,
    Scaled,
    can_unpack,
    inner_products,
    is_quantized,
    norm_of_sum,
    parameter_shapes,
    unpacked_weight,
)
from ....zimage_core.checkpoints import Strength, by_blocks
from ..network.attach import DIFFUSION_MODEL

NORMS: WeakKeyDictionary[nn.Module, dict[str, float]] = WeakKeyDictionary()  # of a network's weights, by parameter
BEFORE = 1e-6  # a moment before a window's edge, as a progress


@dataclass(frozen=True)
class StackChange:
    """What a list of LoRAs does to the weights it changes."""

    together: float  # as a share of the weights' norm
    alone: tuple[float, ...]  # of each LoRA that acts
    n_unread: int  # of quantized weights in a form that cannot be read, which are not counted

    def factor_below(self, limit: float) -> float:
        """What all strengths are multiplied with to stay below a share; 1 for a limit of 0, which is none."""
        return min(1.0, limit / self.together) if limit and self.together else 1.0

    def describe(self, factor: float) -> str:
        """One line for people; `factor` is what the strengths were multiplied with."""
        found, each = _percent(self.together), ", ".join(map(_percent, self.alone))
        parts = [
            f"Together they change the weights by {found} (each alone: {each})"
            if len(self.alone) > 1
            else f"It changes the weights by {found}"
        ]
        if factor < 1:
            parts.append(f"all strengths x {_plain(factor, 3)} bring that to {_percent(factor * self.together)}")
        if self.n_unread:
            parts.append(f"{self.n_unread} quantised weights cannot be read and are not counted")
        return f"{'; '.join(parts)}."


def measure(model: Any, loras: Sequence[tuple[Lora, Strength]]) -> StackChange:
    """The change of LoRAs that fit a MODEL and act."""
    network = model.model.diffusion_model
    adapters = [Scaled(by_blocks(lora, strength), strength.peak) for lora, strength in loras]
    changed = {target.parameter for parts, _ in adapters for lora, _ in parts for target in lora.deltas}
    readable = {parameter for parameter in changed if _can_read(network, parameter)}
    heights = {parameter: shape[0] for parameter, shape in parameter_shapes(network).items() if parameter in readable}
    device = model.load_device  # its speed is needed, not its memory: one parameter's deltas at a time
    products = inner_products(adapters, heights, lambda name: _weight(model, name).to(device).float(), device)
    whole = sum(_norm(model, parameter) ** 2 for parameter in sorted(readable)) ** 0.5
    strengths = [strength for _, strength in loras]
    alone = [strength.peak * float(products[index, index].sqrt()) for index, strength in enumerate(strengths)]
    return StackChange(
        together=_greatest(strengths, products) / whole if whole else 0.0,
        alone=tuple(abs(norm) / whole if whole else 0.0 for norm in alone),
        n_unread=len(changed) - len(readable),
    )


def _greatest(strengths: Sequence[Strength], products: Tensor) -> float:
    """The largest norm of the sum over the sampling; between the windows' edges it is convex, so it lies at one."""
    edges = {edge for strength in strengths for edge in (strength.start, strength.end)}
    moments = {0.0, 1.0} | edges | {edge - BEFORE for edge in edges}
    return max(norm_of_sum([strength.at(moment) for strength in strengths], products) for moment in moments)


def _norm(model: Any, parameter: str) -> float:
    """Of a weight, read once for a network."""
    norms = NORMS.setdefault(model.model.diffusion_model, {})
    if parameter not in norms:
        rows = torch.linalg.vector_norm(_weight(model, parameter), dim=-1)  # faster than in float32, and as exact
        norms[parameter] = float(rows.double().norm())
    return norms[parameter]


def _weight(model: Any, parameter: str) -> Tensor:
    """A weight as it is without patches: ComfyUI keeps a copy of one that it has patched in place.

    A quantized one is unpacked where the MODEL would run, by itself.
    """
    backup = model.backup.get(f"{DIFFUSION_MODEL}.{parameter}")
    owner, _, name = parameter.rpartition(".")
    layer = model.model.diffusion_model.get_submodule(owner)
    if backup is None and is_quantized(layer, name):
        return unpacked_weight(layer, model.load_device)
    return (getattr(layer, name) if backup is None else backup.weight).detach()


def _can_read(network: nn.Module, parameter: str) -> bool:
    owner, _, name = parameter.rpartition(".")
    layer = network.get_submodule(owner)
    return not is_quantized(layer, name) or can_unpack(layer)


def _percent(share: float) -> str:
    return f"{_plain(100 * share, 2)} %"


def _plain(number: float, digits: int) -> str:
    """A number to so many digits, without an exponent at any size."""
    return f"{Decimal(f'{number:.{digits}g}'):f}"
