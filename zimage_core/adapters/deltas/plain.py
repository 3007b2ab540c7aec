"""The plain kinds of change to a weight: LoRA (arXiv 2106.09685), a full difference, a new value.

Letters: o output width, i input width, r rank.

Every kind says what it adds to a float32 weight (`change`), formed in float32 from the file's own numbers, and can be
cut to some of the weight's rows (`rows`). Kinds that do not ask for the weight they change also run as a side branch,
for layers whose weight nobody may touch.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor

from ..._shapes import Float


@dataclass(frozen=True, kw_only=True)
class LowRank:
    """LoRA: scale · up · down. Without an alpha the scale is 1."""

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
        return self.scale * (self.up.float() @ self.down.float())

    def change(self, weight: Float[Tensor, "o i"]) -> Float[Tensor, "o i"]:
        return self.matrix()

    def branch(self, x: Float[Tensor, "... i"]) -> Float[Tensor, "... o"]:
        return self.scale * (x @ self.down.to(x).T @ self.up.to(x).T)

    def rows(self, start: int, stop: int) -> "LowRank":
        """The change to these rows; directions that only other rows used are left out, and the scale stays."""
        up = self.up[start:stop]
        is_used = (up != 0).any(dim=0)
        if is_used.all() or not is_used.any():
            return replace(self, up=up)
        alpha = None if self.alpha is None else self.scale * int(is_used.sum())
        return LowRank(up=up[:, is_used], down=self.down[is_used], alpha=alpha)


@dataclass(frozen=True, kw_only=True)
class Full:
    """A full difference, of a matrix, a norm, a bias or a pad token."""

    diff: Float[Tensor, "..."]
    kind: ClassVar[str] = "full difference"
    rank: ClassVar[None] = None
    alpha: ClassVar[None] = None

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.diff.shape)

    def matrix(self) -> Float[Tensor, "..."]:
        return self.diff.float()

    def change(self, weight: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        return self.matrix()

    def branch(self, x: Float[Tensor, "... i"]) -> Float[Tensor, "... o"]:
        return x @ self.diff.to(x).T

    def rows(self, start: int, stop: int) -> "Full":
        return Full(diff=self.diff[start:stop])


@dataclass(frozen=True, kw_only=True)
class Replacement:
    """A new value (`set_weight`), reached at strength 1."""

    value: Float[Tensor, "..."]
    kind: ClassVar[str] = "replacement"
    rank: ClassVar[None] = None
    alpha: ClassVar[None] = None

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.value.shape)

    def change(self, weight: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        return self.value.to(weight) - weight

    def rows(self, start: int, stop: int) -> "Replacement":
        return Replacement(value=self.value[start:stop])


def check_product(left: Tensor, right: Tensor) -> None:
    """Refuse two tensors that are not matrices with a common inner width."""
    if left.ndim != 2 or right.ndim != 2 or left.shape[1] != len(right) or not len(right):
        raise ValueError(f"its matrices {tuple(left.shape)} and {tuple(right.shape)} do not make a product")
