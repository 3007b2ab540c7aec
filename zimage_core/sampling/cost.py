"""What a run will cost, before it runs."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .guidance import UNGUIDED, Guidance
from .loop import denoise
from .solvers import Solver, euler


def count_evaluations(
    sigmas: Sequence[float] | Tensor, *, solver: Solver = euler, guidance: Guidance = UNGUIDED
) -> int:
    """Network evaluations per picture from the first noise level to the last, guidance counted, without a step cache.

    Counted by running the loop itself on one number, so that no solver needs to know its own price.
    """
    x = torch.zeros(1, 1, 1, 1)
    steps = denoise(_still, x, sigmas, solver=solver, negative=_still, guidance=guidance)
    return max((step.evaluations for step in steps), default=0)


def _still(x: Tensor, sigma: float) -> Tensor:
    return torch.zeros_like(x)
