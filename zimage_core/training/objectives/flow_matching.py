"""The flow-matching objective of the Z-Image report (arXiv 2511.22699, section 4.3), in this library's convention.

x = (1 - sigma)·x0 + sigma·noise, and the network learns the velocity noise - x0.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from ..._shapes import Float
from ...sampling import shift_sigma, start_latent


def logit_normal_sigmas(
    n: int, generator: torch.Generator, shift: float = 1.0, mean: float = 0.0, std: float = 1.0
) -> Float[Tensor, " n"]:
    """Noise levels in (0, 1): the sigmoid of a normal distribution, then shifted toward noise."""
    return shift_sigma(torch.sigmoid(mean + std * torch.randn(n, generator=generator)), shift)


def flow_matching_loss(
    velocity: Callable[[Tensor, Tensor], Tensor],
    x0: Float[Tensor, "b c h w"],
    noise: Float[Tensor, "b c h w"],
    sigma: Float[Tensor, " b"],
) -> Float[Tensor, ""]:
    """Mean squared error, in float32, of `velocity(x, sigma)` at latents x0 noised to `sigma`."""
    noisy = start_latent(noise, x0, sigma[:, None, None, None])
    return mse_loss(velocity(noisy, sigma).float(), (noise - x0).float())


def flow_matching_losses(
    velocity: Callable[[Tensor, Tensor], Tensor],
    x0: Float[Tensor, "b c h w"],
    noise: Float[Tensor, "b c h w"],
    sigma: Float[Tensor, " b"],
    weight: Float[Tensor, "b h w"] | None = None,
) -> Float[Tensor, " b"]:
    """The same for each picture by itself; `weight` is how much each cell of it counts, 1 on average."""
    noisy = start_latent(noise, x0, sigma[:, None, None, None])
    errors = (velocity(noisy, sigma).float() - (noise - x0).float()).square()
    return (errors if weight is None else errors * weight[:, None]).flatten(1).mean(1)
