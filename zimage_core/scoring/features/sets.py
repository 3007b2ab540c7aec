"""What features say of sets of pictures: diversity, duplicates, and how far one set is from another.

Letters: n m pictures, c features.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ..._shapes import Float


def diversity(features: Float[Tensor, "n c"]) -> float:
    """Mean cosine distance of every two pictures: 0 for copies; NaN for fewer than two."""
    n = len(features)
    units = torch.nn.functional.normalize(features.double(), dim=-1)
    return float(1 - (units.sum(0).square().sum() - n) / (n * (n - 1))) if n > 1 else float("nan")


def diversity_interval(features: Float[Tensor, "n c"]) -> tuple[float, float]:
    """A 95 % interval of the diversity by the jackknife, each picture left out once; NaN for fewer than three."""
    n = len(features)
    if n < 3:
        return float("nan"), float("nan")
    units = torch.nn.functional.normalize(features.double(), dim=-1)
    to_others = n - 1 - (units @ units.sum(0) - 1)  # of each, its distances summed
    without = (to_others.sum() - 2 * to_others) / ((n - 1) * (n - 2))
    spread = float(((n - 1) / n * (without - without.mean()).square().sum()).sqrt())
    whole = diversity(features)
    return whole - 1.96 * spread, whole + 1.96 * spread


def duplicates(features: Float[Tensor, "n c"], least: float = 0.98) -> list[tuple[int, int, float]]:
    """Pairs whose cosine is at least that, the likest first; in blocks of rows, so memory grows with n."""
    units = torch.nn.functional.normalize(features.float(), dim=-1)
    found: list[tuple[int, int, float]] = []
    for first in range(0, len(units), 1024):
        cosines = units[first : first + 1024] @ units.T
        rows, columns = (cosines >= least).nonzero(as_tuple=True)
        pairs = zip((rows + first).tolist(), columns.tolist(), cosines[rows, columns].tolist(), strict=True)
        found += [pair for pair in pairs if pair[0] < pair[1]]
    return sorted(found, key=lambda pair: -pair[2])


def frechet_distance(one: Float[Tensor, "n c"], other: Float[Tensor, "m c"]) -> float:
    """|mean - mean|² + tr(A + B - 2 (A B)^½) of two Gaussians, as FID takes it; needs more pictures than features."""
    one, other = one.double(), other.double()
    a, b = covariance(one), covariance(other)
    values, vectors = torch.linalg.eigh(a)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ b @ root).clamp(min=0).sqrt().sum()
    between = (one.mean(0) - other.mean(0)).square().sum()
    return float(between + a.trace() + b.trace() - 2 * cross)


def covariance(features: Float[Tensor, "n c"]) -> Float[Tensor, "c c"]:
    """With n - 1."""
    centred = features - features.mean(0)
    return centred.T @ centred / (len(features) - 1)


def kernel_distance(one: Float[Tensor, "n c"], other: Float[Tensor, "m c"]) -> float:
    """Squared MMD of the kernel (x·y/c + 1)³, unbiased, as KID takes it: about 0 for one distribution, from 2 on."""
    one, other = one.double(), other.double()

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return (x @ y.T / x.shape[1] + 1) ** 3

    def within(x: Tensor) -> Tensor:
        values = kernel(x, x)
        return (values.sum() - values.trace()) / (len(x) * (len(x) - 1))

    return float(within(one) + within(other) - 2 * kernel(one, other).mean())


def halves_interval(
    distance: Callable[[Tensor, Tensor], float],
    one: Float[Tensor, "n c"],
    other: Float[Tensor, "m c"],
    rounds: int = 200,
    seed: int = 0,
) -> tuple[float, float]:
    """A 95 % interval of a distance, from random halves of both sets without repetition.

    Pictures drawn twice, as a bootstrap has them, would look like copies to an unbiased kernel. A mean over such a half
    has the variance of one over the whole set: twice it for half as many, times the half that was not left out.
    """
    generator = torch.Generator().manual_seed(seed)

    def half(features: Tensor) -> Tensor:
        return features[torch.randperm(len(features), generator=generator)[: max(2, len(features) // 2)]]

    found = torch.tensor([distance(half(one), half(other)) for _ in range(rounds)], dtype=torch.float64)
    spread, whole = float(found.std()), distance(one, other)
    return whole - 1.96 * spread, whole + 1.96 * spread
