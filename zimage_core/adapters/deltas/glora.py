"""GLoRA (arXiv 2306.07967), a weight delta of two low-rank products, one of them applied to the weight itself.

Letters: o output width, i input width, r rank.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor

from ..._shapes import Float
from .low_rank import check_product


@dataclass(frozen=True, kw_only=True)
class GLoRA:
    """dW = scale · (W a1 a2 + b1 b2), where scale = alpha / rank, or 1 without an alpha."""

    a1: Tensor  # (i, r)
    a2: Tensor  # (r, i)
    b1: Tensor  # (o, r)
    b2: Tensor  # (r, i)
    alpha: float | None = None
    kind: ClassVar[str] = "GLoRA"

    def __post_init__(self) -> None:
        check_product(self.a1, self.a2)
        check_product(self.b1, self.b2)
        if not len(self.a1) == self.a2.shape[1] == self.b2.shape[1]:
            raise ValueError(f"its products have shapes {len(self.a1), self.a2.shape[1]} and {self.shape}")

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self.b1), self.b2.shape[1]

    @property
    def rank(self) -> int:
        return len(self.a2)

    @property
    def scale(self) -> float:
        return 1.0 if self.alpha is None else self.alpha / self.rank

    def change(self, weight: Float[Tensor, "o i"], strength: float = 1.0) -> Float[Tensor, "o i"]:
        """strength · dW for this weight, in its dtype."""
        a1, a2, b1, b2 = (tensor.to(weight) for tensor in (self.a1, self.a2, self.b1, self.b2))
        return strength * self.scale * (weight @ a1 @ a2 + b1 @ b2)

    def apply(self, x: Float[Tensor, "... i"], product: Callable[[Tensor], Tensor]) -> Float[Tensor, "... o"]:
        """x @ dW.T, where `product(x)` is x @ W.T."""
        a1, a2, b1, b2 = (tensor.to(x) for tensor in (self.a1, self.a2, self.b1, self.b2))
        return self.scale * (product(x @ a2.T @ a1.T) + x @ b2.T @ b1.T)

    def rows(self, start: int, stop: int) -> "GLoRA":
        """dW[start:stop]."""
        return replace(self, b1=self.b1[start:stop])


def glora_of_file(a1: Tensor, a2: Tensor, b1: Tensor, b2: Tensor) -> GLoRA:
    """A GLoRA from a file's tensors, which LyCORIS stored the other way round at first: dW = W a2 a1 + b2 b1.

    Shapes tell the two apart, but for square weights, where the inner width has to be the smaller one.
    """
    is_first = b2.shape[1:] == b1.shape[:1] == a1.shape[:1] == a2.shape[1:]
    is_later = b2.shape[:1] == b1.shape[1:] == a1.shape[1:] == a2.shape[:1]
    if is_first and (not is_later or a1.shape[0] <= a1.shape[1]):
        return GLoRA(a1=a2, a2=a1, b1=b2, b2=b1)
    return GLoRA(a1=a1, a2=a2, b1=b1, b2=b2)
