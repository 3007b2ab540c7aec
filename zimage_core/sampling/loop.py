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


class Counted:
    """A velocity that counts its evaluations."""

    def __init__(self, velocity: Velocity) -> None:
        self.velocity = velocity
        self.evaluations = 0

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        self.evaluations += 1
        return self.velocity(x, sigma)


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
) -> Iterator[Step]:
    """Integrate from the first noise level to the last, in float32, yielding a `Step` after each.

    `negative` is asked only where `guidance` is active.
    """
    if guidance.cfg > 1 and negative is None:
        raise ValueError(f"cfg {guidance.cfg} needs a negative prompt's velocity; pass `negative`, or cfg 1 for none")
    levels = sigmas.tolist() if isinstance(sigmas, Tensor) else list(sigmas)
    counted = Counted(positive), Counted(negative or positive)

    def velocity(x: Tensor, sigma: float) -> Tensor:
        v = counted[0](x, sigma).float()
        return guidance(v, counted[1](x, sigma)) if guidance.is_active(sigma) else v

    x = x.to(torch.float32)
    for index, (sigma, sigma_next) in enumerate(pairwise(levels)):
        x, denoised = solver(velocity, x, sigma, sigma_next)
        evaluations = sum(each.evaluations for each in counted)
        yield Step(
            index=index,
            total=len(levels) - 1,
            sigma=sigma,
            sigma_next=sigma_next,
            x=x,
            denoised=denoised,
            evaluations=evaluations,
        )
