"""The number of function evaluations (NFE) of a sampling run, before it runs."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .guidance import UNGUIDED, Guidance
from .solvers import EVALUATE_AT_END, Solver, euler


def count_nfe(sigmas: Sequence[float] | Tensor, *, solver: Solver = euler, guidance: Guidance = UNGUIDED) -> int:
    """Network calls per image from the first noise level to the last, both prompts counted, without a step cache.

    In closed form: the noise levels at which `solver` evaluates the velocity, and again those at which `guidance` acts.
    Solvers that are not in `SOLVERS` are taken to evaluate it once a step.
    """
    levels = torch.as_tensor(sigmas, dtype=torch.float64)  # the precision of the loop's own comparisons
    evaluated = levels[:-1]
    if solver in EVALUATE_AT_END:
        evaluated = torch.cat([evaluated, levels[1:][levels[1:] != 0]])
    return evaluated.numel() + int(guidance.active(evaluated).sum())
