"""Numerical deviation of a result from the reference: relative L2 error and cosine similarity."""

from typing import NamedTuple

import torch
from torch import Tensor


class Deviation(NamedTuple):
    """Deviation from a float32 reference result."""

    relative_l2: float
    cosine: float


def deviation(result: Tensor, reference: Tensor) -> Deviation:
    """Deviation over all elements, accumulated in float64. Raises ValueError when the shapes differ."""
    if result.shape != reference.shape:
        raise ValueError(f"a result of shape {tuple(result.shape)} beside an exact one of {tuple(reference.shape)}")
    a, b = result.double().flatten(), reference.double().flatten()
    distance = torch.linalg.vector_norm(a - b) / torch.linalg.vector_norm(b)
    cosine = torch.dot(a, b) / (torch.linalg.vector_norm(a) * torch.linalg.vector_norm(b))
    return Deviation(float(distance), float(cosine))
