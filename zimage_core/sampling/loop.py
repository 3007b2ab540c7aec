"""The sampling loop: a generator of frozen steps.

    for step in denoise(velocity, noise, sigmas):
        show(step.denoised)        # preview, progress bar, early stop: up to the caller

It takes a velocity function, not a model, so that a test can pass a closed form and ComfyUI its own network.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from .._shapes import Float
from .guidance import UNGUIDED, Guidance
from .solvers import Solver, Velocity, euler
from .step_cache import UNCACHED, StepCache, StepCacheState


@dataclass(frozen=True, kw_only=True)
class Step:
    """The state after one solver step."""

    index: int  # from 0
    total: int
    sigma: float  # noise level at its start
    sigma_next: float  # and at its end
    x: Float[Tensor, "b c h w"]
    denoised: Float[Tensor, "b c h w"]  # clean latent x0 as predicted at sigma
    nfe: int  # network calls so far, both prompts counted


def start_latent(
    noise: Float[Tensor, "b c h w"], x0: Float[Tensor, "b c h w"], sigma: float | Tensor
) -> Float[Tensor, "b c h w"]:
    """The clean latent x0 with noise of level sigma, where image to image starts; at sigma 1 the noise alone."""
    return sigma * noise + (1 - sigma) * x0


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

    `negative` is called only where `guidance` is active, and neither function where `cache` skips the step.
    """
    if guidance.cfg > 1 and negative is None:
        raise ValueError(f"cfg {guidance.cfg} needs a negative prompt's velocity; pass `negative`, or cfg 1 for none")
    levels = sigmas.tolist() if isinstance(sigmas, Tensor) else list(sigmas)
    negative_velocity = negative or positive
    state = StepCacheState(cache=cache, sigmas=levels)

    def velocity(x: Tensor, sigma: float) -> Tensor:
        state.begin_step(x, sigma)
        v = state.evaluate(["positive"], lambda: positive(x, sigma)).float()
        if not guidance.is_active(sigma):
            return v
        return guidance(v, state.evaluate(["negative"], lambda: negative_velocity(x, sigma)))

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
            nfe=state.nfe,
        )
