"""Noise schedules.

One convention throughout: the noise level sigma lies in [0, 1], 1 is pure noise, and a noisy latent is
x = (1 - sigma)·x0 + sigma·noise with the clean latent x0.
"""

import math

import torch
from torch import Tensor

from .._shapes import Float


def shift_sigma(u: Float[Tensor, " n"], shift: float) -> Float[Tensor, " n"]:
    """Uniform levels u in [0, 1] shifted toward noise: shift·u / (1 + (shift - 1)·u); shift 1 changes nothing."""
    return shift * u / (1 + (shift - 1) * u)


def require_steps_and_shift(steps: int, shift: float) -> None:
    """Raises ValueError for values of which no schedule can be made."""
    if steps < 1:
        raise ValueError(f"steps must be at least 1, not {steps}")
    if not 0 < shift < math.inf:
        raise ValueError(f"shift must be positive, not {shift}: 3 is Turbo's, 6 the base model's, 1 means none")


def shifted_schedule(steps: int, shift: float, strength: float = 1.0) -> Float[Tensor, " n"]:
    """The static-shift schedule: `steps` levels of linspace(1, 0), shifted, then a final 0 (scheduler_config.json).

    It does not depend on resolution. `strength` in [0, 1] keeps the last part of it, for image to image: 0.6 of 8 steps
    keeps the last 5, rounded as in the reference image-to-image pipeline; 0 keeps none.
    """
    require_steps_and_shift(steps, shift)
    if not 0 <= strength <= 1:
        raise ValueError(f"strength must lie between 0 (keep the picture) and 1 (ignore it), not {strength}")
    sigmas = shift_sigma(torch.linspace(1, 0, steps + 1), shift)
    first = int(max(steps - min(steps * strength, steps), 0))
    return sigmas[first:]
