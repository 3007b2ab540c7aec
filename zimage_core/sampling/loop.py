"""The sampling loop: a generator of frozen steps.

    for step in denoise(velocity, noise, sigmas):
        show(step.denoised)        # a preview, a progress bar, a stop: the caller's business

It sees a velocity function, never a model, so a test can hand it a closed form and a host its own network.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from .._shapes import Float
from .guidance import UNGUIDED, Guidance
from .solvers import Solver, Velocity, euler
from .step_cache import UNCACHED, CachedRun, StepCache


@dataclass(frozen=True, kw_only=True)
class Step:
    """The state after one solver step."""

    index: int  # from 0
    total: int
    sigma: float  # where the step began
    sigma_next: float  # where it ended
    x: Float[Tensor, "b c h w"]
    denoised: Float[Tensor, "b c h w"]  # the picture the network aimed at from sigma
    evaluations: int  # network evaluations made so far, guidance counted


def start_latent(
    noise: Float[Tensor, "b c h w"], picture: Float[Tensor, "b c h w"], sigma: float | Tensor
) -> Float[Tensor, "b c h w"]:
    """The noisy latent a run begins with when it starts from a picture; at sigma 1 the noise alone."""
    return sigma * noise + (1 - sigma) * picture


def denoise(
    positive: Velocity,
    x: Float[Tensor, "b c h w"],
    sigmas: Sequence[float] | Tensor,
    *,
    solver: Solver = euler,
    negative: Velocity | None = None,
    guidance: Guidance = UNGUIDED,
    cache: StepCache = UNCACHED,
) -> Iterator[Step]:
    """Integrate from the first noise level to the last, in float32, yielding a `Step` after each.

    `negative` is asked only where `guidance` is active, and neither where `cache` skips.
    """
    if guidance.cfg > 1 and negative is None:
        raise ValueError(f"cfg {guidance.cfg} needs a negative prompt's velocity; pass `negative`, or cfg 1 for none")
    levels = sigmas.tolist() if isinstance(sigmas, Tensor) else list(sigmas)
    against = negative or positive
    run = CachedRun(cache=cache, sigmas=levels)

    def velocity(x: Tensor, sigma: float) -> Tensor:
        run.begin(x, sigma)
        v = run.evaluate(["positive"], lambda: positive(x, sigma)).float()
        if not guidance.is_active(sigma):
            return v
        return guidance(v, run.evaluate(["negative"], lambda: against(x, sigma)))

    x = x.to(torch.float32)
    for index, (sigma, sigma_next) in enumerate(pairwise(levels)):
        x, denoised = solver(velocity, x, sigma, sigma_next)
        yield Step(
            index=index,
            total=len(levels) - 1,
            sigma=sigma,
            sigma_next=sigma_next,
            x=x,
            denoised=denoised,
            evaluations=run.computed,
        )
