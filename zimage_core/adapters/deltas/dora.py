"""All kinds of change to a weight, and DoRA (arXiv 2402.09353), which is made of another.

Letters: o output width, i input width.
"""

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from ..._shapes import Float
from .lycoris import Hadamard, Kronecker
from .plain import Full, LowRank, Replacement

Additive = LowRank | Hadamard | Kronecker | Full  # can run as a side branch


@dataclass(frozen=True, kw_only=True)
class Decomposed:
    """DoRA, equation 5: the changed weight, every row (or, in older files, column) brought to a learned length."""

    direction: Additive
    magnitude: Float[Tensor, "..."]  # (o, 1), or (1, i)

    def __post_init__(self) -> None:
        height, width = self.direction.shape
        if self.magnitude.shape not in ((height, 1), (1, width)):
            raise ValueError(f"its DoRA lengths have shape {tuple(self.magnitude.shape)}, not {(height, 1)}")

    @property
    def kind(self) -> str:
        return f"DoRA ({self.direction.kind})"

    @property
    def shape(self) -> tuple[int, ...]:
        return self.direction.shape

    @property
    def rank(self) -> int | None:
        return self.direction.rank

    @property
    def alpha(self) -> float | None:
        return self.direction.alpha

    @property
    def is_by_row(self) -> bool:
        return len(self.magnitude) == self.shape[0]

    def change(self, weight: Float[Tensor, "o i"]) -> Float[Tensor, "o i"]:
        changed = weight + self.direction.matrix().to(weight)
        length = changed.norm(dim=1 if self.is_by_row else 0, keepdim=True)
        tiny = torch.finfo(length.dtype).eps  # a row of zeros has no direction
        return changed * (self.magnitude.to(weight) / length.clamp_min(tiny)) - weight

    def rows(self, start: int, stop: int) -> "Decomposed":
        if not self.is_by_row:
            raise ValueError("a DoRA whose lengths belong to columns cannot be cut by rows")
        direction = self.direction.rows(start, stop)
        return Decomposed(direction=direction, magnitude=self.magnitude[start:stop])


Delta = Additive | Replacement | Decomposed


def moved(delta: Additive, device: torch.device) -> Additive:
    """The same change with its tensors on a device."""

    def move(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(move(each) for each in value)
        return value.to(device) if isinstance(value, Tensor) else value

    return replace(delta, **{field.name: move(getattr(delta, field.name)) for field in fields(delta)})
