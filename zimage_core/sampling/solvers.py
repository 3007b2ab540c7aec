"""Solvers of dx/dsigma = velocity(x, sigma), one step each.

A solver is a class whose instance carries one run's history; `n_evaluations` is what a step costs. Steps with
sigma_next = 0 end the run.
"""

import math
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from torch import Tensor

Velocity = Callable[[Tensor, float], Tensor]


@runtime_checkable
class Solver(Protocol):
    """Takes x from sigma down to sigma_next; returns the new x and the picture it aims at."""

    def __call__(self, velocity: Velocity, x: Tensor, sigma: float, sigma_next: float) -> tuple[Tensor, Tensor]: ...


def euler(velocity: Velocity, x: Tensor, sigma: float, sigma_next: float) -> tuple[Tensor, Tensor]:
    """Order 1, one evaluation."""
    v = velocity(x, sigma)
    return x + (sigma_next - sigma) * v, x - sigma * v


def heun(velocity: Velocity, x: Tensor, sigma: float, sigma_next: float) -> tuple[Tensor, Tensor]:
    """Heun's method: order 2, two evaluations; the step to sigma 0 is Euler's (Karras et al. 2022, algorithm 1)."""
    v = velocity(x, sigma)
    ahead = x + (sigma_next - sigma) * v
    if sigma_next == 0:
        return ahead, x - sigma * v
    mean = (v + velocity(ahead, sigma_next)) / 2
    return x + (sigma_next - sigma) * mean, x - sigma * v


class ResMultistep:
    """Refined exponential solver in log-sigma: order 2 from the last two pictures, one evaluation a step.

    Deterministic form of ComfyUI's `res_multistep`; the first and the last step are Euler's.
    """

    def __init__(self) -> None:
        self._before: tuple[float, Tensor] | None = None  # the last step's sigma and picture

    def __call__(self, velocity: Velocity, x: Tensor, sigma: float, sigma_next: float) -> tuple[Tensor, Tensor]:
        v = velocity(x, sigma)
        denoised = x - sigma * v
        before, self._before = self._before, (sigma, denoised)
        if before is None or sigma_next == 0:
            return x + (sigma_next - sigma) * v, denoised
        sigma_before, denoised_before = before
        h = math.log(sigma / sigma_next)
        c2 = -math.log(sigma_before / sigma) / h
        phi1 = math.expm1(-h) / -h
        phi2 = (phi1 - 1) / -h
        weight = phi2 / c2
        return math.exp(-h) * x + h * ((phi1 - weight) * denoised + weight * denoised_before), denoised


SOLVERS: dict[str, Callable[[], Solver]] = {
    "euler": lambda: euler,
    "res_multistep": ResMultistep,
    "heun": lambda: heun,
}
"""Name to a fresh solver for one run."""
