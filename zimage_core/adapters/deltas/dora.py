"""DoRA (arXiv 2402.09353), a weight delta made of another: it also sets the norm of every row.

Letters: o output width, i input width.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..._shapes import Float
from .additive import Additive


@dataclass(frozen=True, kw_only=True)
class DoRA:
    """Equation 5: W' = magnitude · (W + dV) / |W + dV|, norms taken per row (in older files, per column)."""

    direction: Additive  # dV
    magnitude: Float[Tensor, "..."]  # (o, 1) per row, or (1, i) per column

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

    def change(self, weight: Float[Tensor, "o i"], strength: float = 1.0) -> Float[Tensor, "o i"]:
        """strength · dW, where dW = W' - W, in the weight's dtype."""
        updated = weight + self.direction.matrix().to(weight)
        return strength * (updated * self._factors(updated) - weight)

    def factors(self, weight: Float[Tensor, "o i"]) -> Float[Tensor, "..."]:
        """magnitude / |W + dV|, (o, 1) or (1, i)."""
        return self._factors(weight + self.direction.matrix().to(weight))

    def _factors(self, updated: Float[Tensor, "o i"]) -> Float[Tensor, "..."]:
        norm = updated.norm(dim=1 if self.is_by_row else 0, keepdim=True)
        eps = torch.finfo(norm.dtype).eps  # a row of zeros has no direction
        return self.magnitude.to(updated) / norm.clamp_min(eps)

    def rows(self, start: int, stop: int) -> "DoRA":
        """The DoRA of rows start to stop. Raises `ValueError` for magnitudes per column, which need all rows."""
        if not self.is_by_row:
            raise ValueError("a DoRA whose lengths belong to columns cannot be cut by rows")
        direction = self.direction.rows(start, stop)
        return DoRA(direction=direction, magnitude=self.magnitude[start:stop])
