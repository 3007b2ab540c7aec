"""The number of function evaluations (NFE) of a sampling run, before it runs."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .guidance import UNGUIDED, Guidance
from .loop import denoise
from .solvers import Solver, euler


def count_nfe(sigmas: Sequence[float] | Tensor, *, solver: Solver = euler, guidance: Guidance = UNGUIDED) -> int:
    """Network calls per image from the first noise level to the last, both prompts counted, without a step cache.

    Counted by running the sampling loop on a one-element latent, so that solvers need not declare their cost.
    """
    x = torch.zeros(1, 1, 1, 1)
    steps = denoise(_zero_velocity, x, sigmas, solver=solver, negative=_zero_velocity, guidance=guidance)
    return max((step.nfe for step in steps), default=0)


def _zero_velocity(x: Tensor, sigma: float) -> Tensor:
    return torch.zeros_like(x)
