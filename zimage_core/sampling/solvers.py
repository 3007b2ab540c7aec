"""Solvers of the flow ODE dx/dsigma = velocity(x, sigma); a call makes one step.

Solvers without state are functions, multistep ones are classes whose instance serves one run. A step to sigma_next = 0
is the last one.
"""

import math
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from torch import Tensor

Velocity = Callable[[Tensor, float], Tensor]  # (latent (b, c, h, w), sigma) -> dx/dsigma


@runtime_checkable
class Solver(Protocol):
    """Integrates x from sigma down to sigma_next; returns the new x and the clean latent x0 predicted at sigma."""

    def __call__(self, velocity: Velocity, x: Tensor, sigma: float, sigma_next: float) -> tuple[Tensor, Tensor]: ...


def euler(velocity: Velocity, x: Tensor, sigma: float, sigma_next: float) -> tuple[Tensor, Tensor]:
    """Euler's method: order 1, one velocity evaluation."""
    v = velocity(x, sigma)
    return x + (sigma_next - sigma) * v, x - sigma * v


def heun(velocity: Velocity, x: Tensor, sigma: float, sigma_next: float) -> tuple[Tensor, Tensor]:
    """Heun's method: order 2, two velocity evaluations; the step to 0 is Euler's (Karras et al. 2022, algorithm 1)."""
    v = velocity(x, sigma)
    x_next = x + (sigma_next - sigma) * v
    if sigma_next == 0:
        return x_next, x - sigma * v
    mean = (v + velocity(x_next, sigma_next)) / 2
    return x + (sigma_next - sigma) * mean, x - sigma * v


class ResMultistep:
    """Refined exponential solver in log-sigma: order 2 from the last two x0 predictions, one velocity evaluation.

    The deterministic form of ComfyUI's `res_multistep`; the first and the last step are Euler's.
    """

    def __init__(self) -> None:
        self._previous: tuple[float, Tensor] | None = None  # sigma and x0 prediction of the last step

    def __call__(self, velocity: Velocity, x: Tensor, sigma: float, sigma_next: float) -> tuple[Tensor, Tensor]:
        v = velocity(x, sigma)
        denoised = x - sigma * v
        previous, self._previous = self._previous, (sigma, denoised)
        if previous is None or sigma_next == 0:
            return x + (sigma_next - sigma) * v, denoised
        sigma_previous, denoised_previous = previous
        h = math.log(sigma / sigma_next)
        c2 = -math.log(sigma_previous / sigma) / h
        phi1 = math.expm1(-h) / -h
        phi2 = (phi1 - 1) / -h
        weight = phi2 / c2
        return math.exp(-h) * x + h * ((phi1 - weight) * denoised + weight * denoised_previous), denoised


SOLVERS: dict[str, Callable[[], Solver]] = {
    "euler": lambda: euler,
    "res_multistep": ResMultistep,
    "heun": lambda: heun,
}
"""Solver name -> factory of a solver for one run."""

EVALUATE_AT_END: tuple[Solver, ...] = (heun,)
"""Solvers whose steps evaluate the velocity at sigma_next, too, unless that is 0."""
