"""How the differences of several fine-tunes from their common base become one difference: sum, TIES, DARE.

With w_t the weight of a fine-tune t and d_t its difference from the base, for every parameter by itself:

- sum: the sum of w_t d_t ("task arithmetic", arXiv 2212.04089);
- ties (arXiv 2306.01708, section 3): of each d_t the largest values by magnitude are kept, a share `density` of them,
  the others become 0; each value's sign is that of the sum of what was kept; the result is the mean of the kept values
  that have this sign. With equal weights w_t they are the paper's lambda;
- dare (arXiv 2311.03099, section 3.2): of each d_t a share `density` of values drawn by chance is kept and divided by
  that share, so that its expectation stays; then the sum.

The paper on TIES trims a fine-tune as a whole; here, as in mergekit, each parameter, so that it can be streamed.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .._shapes import Float

METHODS = ("sum", "ties", "dare")
DENSITIES = {"sum": 1.0, "ties": 0.2, "dare": 0.5}  # that of TIES is its paper's


@dataclass(frozen=True)
class Method:
    """A method and its numbers. Raises ValueError with one sentence for others."""

    name: str = "sum"
    density: float = 1.0  # the share of values that is kept, above 0 up to 1
    seed: int = 0  # of DARE's draw

    def __post_init__(self) -> None:
        if self.name not in METHODS:
            raise ValueError(f"{self.name} is no way to merge: choose {', '.join(METHODS)}")
        if not 0 < self.density <= 1:
            raise ValueError(f"the density is {self.density:g}: give the share of values to keep, above 0 up to 1")

    def describe(self) -> str:
        """In a few words."""
        match self.name:
            case "ties":
                return f"TIES, density {self.density:g}"
            case "dare":
                return f"DARE, density {self.density:g}, seed {self.seed}"
            case _:
                return "Weighted sum"


def combined(
    weighted: Sequence[Float[Tensor, "*shape"] | None], method: Method, name: str
) -> Float[Tensor, "*shape"] | None:
    """One difference of several, each times its weight already; None stands for no difference.

    `name` is the parameter's: with the seed and the place of a difference it decides what DARE draws.
    """
    there = [(place, difference) for place, difference in enumerate(weighted) if difference is not None]
    if not there:
        return None
    match method.name:
        case "ties":
            return elected_mean([trimmed(each, method.density) for _, each in there])
        case "dare":
            return total([dropped(each, method.density, f"{method.seed}/{place}/{name}") for place, each in there])
        case _:
            return total([each for _, each in there])


def total(differences: Sequence[Float[Tensor, "*shape"]]) -> Float[Tensor, "*shape"]:
    """Their sum; of one, itself."""
    first, *others = differences
    for each in others:
        first = first + each
    return first


def trimmed(difference: Float[Tensor, "*shape"], density: float) -> Float[Tensor, "*shape"]:
    """Its values of the largest magnitudes, a share `density` and at least one; 0 elsewhere."""
    n_values = difference.numel()
    n_kept = max(1, round(density * n_values))
    if n_kept >= n_values:
        return difference
    magnitudes = difference.abs()
    least = magnitudes.flatten().kthvalue(n_values - n_kept + 1).values
    return difference.where(magnitudes >= least, 0.0)


def elected_mean(differences: Sequence[Float[Tensor, "*shape"]]) -> Float[Tensor, "*shape"]:
    """Of each value the mean over the differences that have the sign of all their sum."""
    sign = total(differences).sign()
    summed, count = torch.zeros_like(sign), torch.zeros_like(sign, dtype=torch.int16)
    for each in differences:
        agrees = (each.sign() == sign) & (sign != 0)
        summed += each.where(agrees, 0.0)
        count += agrees
    return summed.div_(count.clamp_min_(1))


def dropped(difference: Float[Tensor, "*shape"], density: float, drawn_by: str) -> Float[Tensor, "*shape"]:
    """A share `density` of its values, divided by that share; 0 elsewhere. The text decides which."""
    if density == 1:
        return difference
    digest = hashlib.blake2b(drawn_by.encode(), digest_size=8).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)
    is_kept = torch.rand(difference.shape, generator=generator) < density
    return difference.where(is_kept.to(difference.device), 0.0) / density
