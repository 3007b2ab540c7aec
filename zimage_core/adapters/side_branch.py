"""Deltas beside a layer whose weight W stays as it is, since a quantized one would be rounded a second time.

Every kind has such a form: those that depend on W need only the layer's own product x @ W.T. A DoRA also needs the
lengths of W + dV, for which W is unpacked once.

Letters: o output width, i input width.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from .._shapes import Float
from ..quant.linear import QuantizedLinear
from .deltas import BOFT, OFT, Delta, DoRA, GLoRA, SetWeight
from .lora import Target

Product = Callable[[Tensor], Tensor]  # x @ W.T for the rows of W that a delta changes
Change = Callable[[Tensor, Product], Tensor]  # what a delta adds to the layer's output for an input x
UnpackWeight = Callable[[], Tensor]  # those rows of W in float32


class SideBranch(NamedTuple):
    """A delta's change to the outputs of its rows."""

    target: Target
    change: Change


def side_branch_output(
    x: Tensor, out: Tensor, branches: Sequence[SideBranch], layer: Product, bias: Tensor | None
) -> Tensor:
    """The sum of all changes for a layer's input x (..., i), in shape and dtype of its output `out` (..., o).

    `layer` is the layer's own forward without the branches, so that each delta counts from the same W.
    """

    def without_bias(out: Tensor) -> Tensor:
        return out if bias is None else out - bias.to(out)

    def product(rows: slice) -> Product:
        return lambda given: without_bias(out if given is x else layer(given))[..., rows]

    total = torch.zeros_like(out)
    for target, change in branches:
        rows = slice(*target.rows(out.shape[-1]))
        total[..., rows] += change(x, product(rows))
    return total


def change_of(delta: Delta, strength: float, unpack: UnpackWeight) -> Change:
    """What a delta adds at a strength; everything that no input changes is computed now."""
    match delta:
        case OFT() | BOFT():
            rotations = delta.rotations()
            return lambda x, product: delta.turn(product(x), strength, rotations)
        case GLoRA():
            return lambda x, product: strength * delta.apply(x, product)
        case SetWeight():
            return lambda x, product: strength * (x @ delta.value.to(x).T - product(x))
        case DoRA():
            factors = delta.factors(unpack())  # (o, 1) or (1, i)
            return lambda x, product: strength * (_dora(delta, factors, x, product) - product(x))
        case _:
            return lambda x, product: strength * delta.apply(x)


def unpacked_weight(layer: nn.Module, device: torch.device | None = None) -> Float[Tensor, "o i"]:
    """A layer's weight in float32."""
    if isinstance(layer, QuantizedLinear):
        weight = layer.unpacked_weight()
        return weight if device is None else weight.to(device)
    weight = cast("Tensor", layer.weight).detach()
    weight = weight if device is None else weight.to(device)
    return (weight.dequantize() if _is_packed(weight) else weight).float()


def can_unpack(layer: nn.Module) -> bool:
    """Whether `unpacked_weight` knows the format of a layer's weight."""
    weight = cast("Tensor", layer.weight)
    return isinstance(layer, QuantizedLinear) or not _is_packed(weight) or hasattr(weight, "_layout_cls")


def _is_packed(weight: Tensor) -> bool:
    return type(weight) not in (nn.Parameter, Tensor)


def _dora(delta: DoRA, factors: Tensor, x: Tensor, product: Product) -> Tensor:
    """x @ W'.T for W' = factors · (W + dV)."""
    factors = factors.to(x)
    if delta.is_by_row:
        return factors[:, 0] * (product(x) + delta.direction.apply(x))
    scaled = x * factors
    return product(scaled) + delta.direction.apply(scaled)
