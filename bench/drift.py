"""How far a result lies from the exact one: relative L2 distance and cosine."""

from typing import NamedTuple

import torch
from torch import Tensor


class Drift(NamedTuple):
    """Distance from a float32 result computed by another implementation."""

    relative_l2: float
    cosine: float


def drift(found: Tensor, exact: Tensor) -> Drift:
    """Over all elements at once, in float64 for sums of millions."""
    if found.shape != exact.shape:
        raise ValueError(f"a result of shape {tuple(found.shape)} beside an exact one of {tuple(exact.shape)}")
    a, b = found.double().flatten(), exact.double().flatten()
    distance = torch.linalg.vector_norm(a - b) / torch.linalg.vector_norm(b)
    cosine = torch.dot(a, b) / (torch.linalg.vector_norm(a) * torch.linalg.vector_norm(b))
    return Drift(float(distance), float(cosine))
