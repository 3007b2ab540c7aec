"""The flow-matching objective of the Z-Image report (arXiv 2511.22699, section 4.3), in this library's convention.

x = (1 - sigma)·picture + sigma·noise, and the network learns the velocity noise - picture.
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
    """Noise levels in (0, 1): the sigmoid of a normal, then shifted toward noise."""
    return shift_sigma(torch.sigmoid(mean + std * torch.randn(n, generator=generator)), shift)


def flow_matching_loss(
    velocity: Callable[[Tensor, Tensor], Tensor],
    pictures: Float[Tensor, "b c h w"],
    noise: Float[Tensor, "b c h w"],
    sigma: Float[Tensor, " b"],
) -> Float[Tensor, ""]:
    """Mean squared error of the predicted velocity, in float32."""
    noisy = start_latent(noise, pictures, sigma[:, None, None, None])
    return mse_loss(velocity(noisy, sigma).float(), (noise - pictures).float())
