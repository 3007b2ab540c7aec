"""Weight deltas stored in full: a difference to add, or a new value to set. They fit parameters of any shape."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ..._shapes import Float


@dataclass(frozen=True, kw_only=True)
class FullDifference:
    """dW itself, of a matrix, a norm, a bias or a pad token."""

    diff: Float[Tensor, "..."]
    kind: ClassVar[str] = "full difference"
    rank: ClassVar[None] = None
    alpha: ClassVar[None] = None

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.diff.shape)

    def matrix(self) -> Float[Tensor, "..."]:
        """dW in float32."""
        return self.diff.float()

    def change(self, weight: Float[Tensor, "..."], strength: float = 1.0) -> Float[Tensor, "..."]:
        """strength · dW in float32; it does not depend on the weight."""
        return strength * self.matrix()

    def apply(self, x: Float[Tensor, "... i"]) -> Float[Tensor, "... o"]:
        """x @ dW.T; dW has to be a matrix."""
        return x @ self.diff.to(x).T

    def rows(self, start: int, stop: int) -> "FullDifference":
        """dW[start:stop]."""
        return FullDifference(diff=self.diff[start:stop])


@dataclass(frozen=True, kw_only=True)
class SetWeight:
    """A new value (`set_weight` in files): dW = value - W, so the weight equals the value at strength 1."""

    value: Float[Tensor, "..."]
    kind: ClassVar[str] = "replacement"
    rank: ClassVar[None] = None
    alpha: ClassVar[None] = None

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.value.shape)

    def change(self, weight: Float[Tensor, "..."], strength: float = 1.0) -> Float[Tensor, "..."]:
        """strength · dW for this weight, in its dtype."""
        return strength * (self.value.to(weight) - weight)

    def rows(self, start: int, stop: int) -> "SetWeight":
        """The new value of rows start to stop."""
        return SetWeight(value=self.value[start:stop])
