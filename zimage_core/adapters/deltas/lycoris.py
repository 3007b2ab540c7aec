"""LoHa and LoKr, two factorized weight deltas of LyCORIS (arXiv 2309.14859).

Letters: o output width, i input width, r rank, p q input widths of the two factors of a Kronecker product.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from einops import rearrange
from torch import Tensor

from ..._shapes import Float
from .full import FullDifference
from .low_rank import check_product


@dataclass(frozen=True, kw_only=True)
class LoHa:
    """dW = scale · (w1_a @ w1_b) * (w2_a @ w2_b), an elementwise (Hadamard) product; scale = alpha / rank, or 1."""

    w1_a: Tensor  # (o, r)
    w1_b: Tensor  # (r, i)
    w2_a: Tensor  # (o, r2)
    w2_b: Tensor  # (r2, i)
    alpha: float | None = None
    kind: ClassVar[str] = "LoHa"

    def __post_init__(self) -> None:
        check_product(self.w1_a, self.w1_b)
        check_product(self.w2_a, self.w2_b)
        if len(self.w1_a) != len(self.w2_a) or self.w1_b.shape[1] != self.w2_b.shape[1]:
            raise ValueError(f"its two products have shapes {self.shape} and {len(self.w2_a), self.w2_b.shape[1]}")

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self.w1_a), self.w1_b.shape[1]

    @property
    def rank(self) -> int:
        return len(self.w1_b)

    def matrix(self) -> Float[Tensor, "o i"]:
        """dW in float32."""
        scale = 1.0 if self.alpha is None else self.alpha / self.rank
        return scale * (self.w1_a.float() @ self.w1_b.float()) * (self.w2_a.float() @ self.w2_b.float())

    def change(self, weight: Float[Tensor, "o i"], strength: float = 1.0) -> Float[Tensor, "o i"]:
        """strength · dW in float32; it does not depend on the weight."""
        return strength * self.matrix()

    def apply(self, x: Float[Tensor, "... i"]) -> Float[Tensor, "... o"]:
        """x @ dW.T."""
        return x @ self.matrix().to(x).T

    def rows(self, start: int, stop: int) -> "LoHa":
        """dW[start:stop]."""
        return replace(self, w1_a=self.w1_a[start:stop], w2_a=self.w2_a[start:stop])


@dataclass(frozen=True, kw_only=True)
class LoKr:
    """dW = scale · kron(w1, w2), where each factor is one full matrix or the product of two."""

    w1: tuple[Tensor, ...]  # (o1, p), or (o1, r) and (r, p)
    w2: tuple[Tensor, ...]  # (o2, q), or (o2, r) and (r, q)
    alpha: float | None = None
    kind: ClassVar[str] = "LoKr"

    def __post_init__(self) -> None:
        for factor in (self.w1, self.w2):
            if len(factor) == 2:
                check_product(*factor)
            elif factor[0].ndim != 2:
                raise ValueError(f"its factor has shape {tuple(factor[0].shape)}, which is no matrix's")

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self.w1[0]) * len(self.w2[0]), self.w1[-1].shape[1] * self.w2[-1].shape[1]

    @property
    def rank(self) -> int | None:
        """The inner width of the factorized factor: w2's where both are, None where neither is."""
        return next((len(factor[1]) for factor in (self.w2, self.w1) if len(factor) == 2), None)

    @property
    def scale(self) -> float:
        """alpha / rank; 1 where both factors are full, since such files carry meaningless alphas, 1e10 among them."""
        return 1.0 if self.alpha is None or self.rank is None else self.alpha / self.rank

    def matrix(self) -> Float[Tensor, "o i"]:
        """dW in float32."""
        return self.scale * torch.kron(*self.factors())

    def factors(self, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
        """w1 and w2 as matrices (o1, p) and (o2, q)."""
        return _product(self.w1, dtype), _product(self.w2, dtype)

    def change(self, weight: Float[Tensor, "o i"], strength: float = 1.0) -> Float[Tensor, "o i"]:
        """strength · dW in float32; it does not depend on the weight."""
        return strength * self.matrix()

    def apply(self, x: Float[Tensor, "... i"]) -> Float[Tensor, "... o"]:
        """x @ dW.T without forming dW: kron(w1, w2) vec(X) = vec(w1 @ X @ w2.T) for row-major X."""
        w1, w2 = (factor.to(x.device) for factor in self.factors(x.dtype))
        grid = rearrange(x, "... (p q) -> ... p q", p=w1.shape[1])
        return self.scale * rearrange(w1 @ grid @ w2.T, "... p q -> ... (p q)")

    def rows(self, start: int, stop: int) -> "LoKr | FullDifference":
        """dW[start:stop]: a LoKr if the cuts fall between rows of w1, else dW in full."""
        height = len(self.w2[0])
        if start % height or stop % height:
            return FullDifference(diff=self.matrix()[start:stop])
        return replace(self, w1=(self.w1[0][start // height : stop // height], *self.w1[1:]))


def _product(factor: tuple[Tensor, ...], dtype: torch.dtype) -> Float[Tensor, "p q"]:
    first, *rest = (tensor.to(dtype) for tensor in factor)
    return first @ rest[0] if rest else first
