"""The weight delta of a LoRA (arXiv 2106.09685): the product of two low-rank matrices.

Letters: o output width, i input width, r rank.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor

from ..._shapes import Float


@dataclass(frozen=True, kw_only=True)
class LowRank:
    """LoRA: dW = scale · up @ down, where scale = alpha / rank, or 1 without an alpha."""

    up: Tensor  # (o, r)
    down: Tensor  # (r, i)
    alpha: float | None = None
    kind: ClassVar[str] = "LoRA"

    def __post_init__(self) -> None:
        check_product(self.up, self.down)

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self.up), self.down.shape[1]

    @property
    def rank(self) -> int:
        return len(self.down)

    @property
    def scale(self) -> float:
        return 1.0 if self.alpha is None else self.alpha / self.rank

    def matrix(self) -> Float[Tensor, "o i"]:
        """dW in float32."""
        return self.scale * (self.up.float() @ self.down.float())

    def change(self, weight: Float[Tensor, "o i"], strength: float = 1.0) -> Float[Tensor, "o i"]:
        """strength · dW in float32; it does not depend on the weight."""
        return strength * self.matrix()

    def apply(self, x: Float[Tensor, "... i"]) -> Float[Tensor, "... o"]:
        """x @ dW.T, through the rank-r bottleneck."""
        return self.scale * (x @ self.down.to(x).T @ self.up.to(x).T)

    def rows(self, start: int, stop: int) -> "LowRank":
        """dW[start:stop]. Ranks whose `up` column is zero there are dropped; alpha is adapted so that scale stays."""
        up = self.up[start:stop]
        is_used = (up != 0).any(dim=0)
        if is_used.all() or not is_used.any():
            return replace(self, up=up)
        alpha = None if self.alpha is None else self.scale * int(is_used.sum())
        return LowRank(up=up[:, is_used], down=self.down[is_used], alpha=alpha)


def check_product(left: Tensor, right: Tensor) -> None:
    """Raise `ValueError` unless both tensors are matrices with a common inner width of at least 1."""
    if left.ndim != 2 or right.ndim != 2 or left.shape[1] != len(right) or not len(right):
        raise ValueError(f"its matrices {tuple(left.shape)} and {tuple(right.shape)} do not make a product")
