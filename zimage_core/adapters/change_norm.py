"""How much several adapters change a network's weights together: norms of sums of deltas, without the sums.

With strengths s and deltas dW of adapters a and b, |sum s dW|² = sum over a, b of s_a s_b <dW_a, dW_b> (Frobenius). So
the matrix of inner products, added up over all parameters, holds the norm for every choice of strengths. For LoRAs
<B A, D C> = sum((B.T D) * (A C.T)), and for LoKrs of one shape <kron(p, q), kron(r, s)> = <p, r> <q, s>: no product is
formed. Other kinds are computed in full, and what depends on the weight, at the adapter's own strength.

Letters: n adapters, o output width, i input width.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .._shapes import Float
from .deltas import Additive, Delta, FullDifference, LoKr, LowRank, to_device
from .lora import N_PARTS, Lora, Target

WeightOf = Callable[[str], Tensor]  # a parameter by name, in float32


class Scaled(NamedTuple):
    """An adapter that acts on a network: its parts, each with a factor beside the strength of all."""

    parts: Sequence[tuple[Lora, float]]
    strength: float


class Change(NamedTuple):
    """What one adapter adds to some rows of a parameter at strength 1."""

    adapter: int
    start: int  # of its rows
    stop: int
    delta: Additive
    factor: float


def inner_products(
    adapters: Sequence[Scaled], heights: Mapping[str, int], weight_of: WeightOf, device: torch.device | None = None
) -> Float[Tensor, "n n"]:
    """<dW_a, dW_b> of every two adapters at strength 1, in float64, over the parameters in `heights` (their rows o).

    One parameter after the other is computed on `device`, where `weight_of` gives its weight; without one, where the
    deltas are.
    """
    products = torch.zeros(len(adapters), len(adapters), dtype=torch.float64)
    for parameter, height in heights.items():
        changes = list(_changes(adapters, parameter, height, weight_of, device))
        for place, first in enumerate(changes):
            for second in changes[: place + 1]:
                product = first.factor * second.factor * _inner_product(first, second)
                products[first.adapter, second.adapter] += product
                if first is not second:
                    products[second.adapter, first.adapter] += product
    return products


def norm_of_sum(strengths: Sequence[float], products: Float[Tensor, "n n"]) -> float:
    """|sum s dW|, the square root of s.T products s."""
    vector = torch.tensor(strengths, dtype=torch.float64)
    return float((vector @ products @ vector).clamp_min(0).sqrt())


def _changes(
    adapters: Sequence[Scaled], parameter: str, height: int, weight_of: WeightOf, device: torch.device | None
) -> Iterator[Change]:
    """The changes of one parameter."""
    targets = [Target(parameter, part) for part in (None, *range(N_PARTS))]
    for number, (parts, strength) in enumerate(adapters):
        for lora, factor in parts:
            for target in targets:
                delta = lora.deltas.get(target)
                if delta is not None:
                    moved = delta if device is None else to_device(delta, device)
                    added = _added(target, moved, strength * factor, weight_of)
                    yield Change(number, *target.rows(height), added, factor)


def _added(target: Target, delta: Delta, strength: float, weight_of: WeightOf) -> Additive:
    """The same delta, or what it adds to its weight for each unit of a strength."""
    if isinstance(delta, Additive):
        return delta
    weight = weight_of(target.parameter)
    rows = weight[slice(*target.rows(len(weight)))]
    return FullDifference(diff=delta.change(rows, strength) / strength)


def _inner_product(first: Change, second: Change) -> float:
    """<dW_a, dW_b> over the rows that both change."""
    start, stop = max(first.start, second.start), min(first.stop, second.stop)
    if start >= stop:
        return 0.0
    match _rows(first, start, stop), _rows(second, start, stop):
        case LowRank() as one, LowRank() as other:
            ups, downs = one.up.float().T @ other.up.float(), one.down.float() @ other.down.float().T
            return one.scale * other.scale * float((ups * downs).sum())
        case LoKr() as one, LoKr() as other if _factor_shapes(one) == _factor_shapes(other):
            (w1, w2), (v1, v2) = one.factors(), other.factors()
            return one.scale * other.scale * float((w1 * v1).sum() * (w2 * v2).sum())
        case one, other:
            return float((one.matrix() * other.matrix()).sum())


def _rows(change: Change, start: int, stop: int) -> Additive:
    """The delta of rows start to stop of the parameter, which lie within its own."""
    if (start, stop) == (change.start, change.stop):
        return change.delta
    return change.delta.rows(start - change.start, stop - change.start)


def _factor_shapes(delta: LoKr) -> tuple[torch.Size, ...]:
    return tuple(factor.shape for factor in delta.factors())
