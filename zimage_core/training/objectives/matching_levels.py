"""Noise levels at which distribution matching looks at what a student made, and latents noised to them."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..._shapes import Float

# (latents at a level, the level of each item (b,)) -> the clean latents that a network predicts from them
Denoiser = Callable[[Tensor, Tensor], Tensor]

LOWEST, HIGHEST = 0.02, 0.98  # at the ends a prediction is the latent itself, or the mean of all pictures


def draw_levels(highest: Float[Tensor, " b"], lowest: float, generator: torch.Generator) -> Float[Tensor, " b"]:
    """A level for each item, uniform from `lowest` to its `highest`; its `highest` where that is the lower one."""
    u = torch.rand(len(highest), generator=generator).to(highest.device)
    low = highest.clamp(max=lowest)
    return torch.minimum(low + u * (highest - low), highest)


def renoised(x0: Float[Tensor, "b ..."], sigma: Float[Tensor, " b"], noise: Float[Tensor, "b ..."]) -> Tensor:
    """(1 - sigma)·x0 + sigma·noise, a level for each item."""
    level = per_item(sigma, x0)
    return (1 - level) * x0 + level * noise


def per_item(values: Tensor, like: Float[Tensor, "b ..."]) -> Tensor:
    """Values of items (b,), numbers or truths, as wide as `like`."""
    return values.reshape(-1, *[1] * (like.ndim - 1))


def drawn_like(x: Tensor, generator: torch.Generator) -> Tensor:
    """Normal noise; drawn in float32 on the generator's device, so that a run is the same on every other."""
    return torch.randn(x.shape, generator=generator, device=generator.device).to(x)


def in_float(x: Tensor) -> Tensor:
    """In float32, or float64 where it is that: smaller types lose the difference of two predictions."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def mean_of_items(x: Float[Tensor, "b ..."]) -> Float[Tensor, " b"]:
    """The mean over everything but items."""
    return x.flatten(1).mean(1)
