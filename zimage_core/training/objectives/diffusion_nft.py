"""DiffusionNFT (arXiv 2509.16117): rewards without probabilities of steps, by any sampler of the old policy.

A picture z with reward r in [0, 1] is noised to a fresh level sigma. Two networks on either side of the old one,

    v+ = b·v + (1 - b)·v_old      v- = (1 + b)·v_old - b·v      x0± = x - sigma·v±

should predict it as far as it is good, and as far as it is bad:

    L = (r·|x0+ - z|²/w+ + (1 - r)·|x0- - z|²/w-) / b · A_max + kl·|v - v_base|²      w± = mean|x0± - z|, a constant

WARNING below says what is known against it for Z-Image.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..._shapes import Float
from .matching_levels import in_float, mean_of_items, per_item

WARNING = (
    "on Z-Image base another trainer saw rewards fall under DiffusionNFT at every rate, number of steps and reward "
    "that it tried, while GRPO's rose (Flow-Factory, issue 49): prefer grpo, or watch the reward closely"
)
LEAST_NORM = 1e-5


@dataclass(frozen=True, kw_only=True)
class DiffusionNft:
    """The loss as published."""

    strength: float = 0.1  # b
    kl: float = 1e-4
    most_advantage: float = 5.0

    def optimality(self, advantage: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The reward r in [0, 1] of an advantage within its group; half for one as good as its group."""
        return (advantage / (2 * self.most_advantage) + 0.5).clamp(0, 1)

    def losses(
        self,
        velocity: Float[Tensor, "b ..."],
        old: Float[Tensor, "b ..."],
        base: Float[Tensor, "b ..."],
        x: Float[Tensor, "b ..."],
        z: Float[Tensor, "b ..."],
        sigma: Float[Tensor, " b"],
        optimality: Float[Tensor, " b"],
    ) -> Float[Tensor, " b"]:
        """For velocities at `x`, which is `z` noised to `sigma`; gradients pass through `velocity` alone."""
        v, old, base = in_float(velocity), in_float(old).detach(), in_float(base).detach()
        x, z, level = in_float(x), in_float(z), per_item(in_float(sigma), x)
        toward = x - level * (self.strength * v + (1 - self.strength) * old)
        away = x - level * ((1 + self.strength) * old - self.strength * v)
        good, bad = (_normalized_error(each, z) for each in (toward, away))
        matched = (optimality * good + (1 - optimality) * bad) * self.most_advantage / self.strength
        return matched + self.kl * mean_of_items((v - base).square())


def _normalized_error(x0: Float[Tensor, "b ..."], z: Float[Tensor, "b ..."]) -> Float[Tensor, " b"]:
    """Squared, over the mean distance, in which no gradient passes."""
    with torch.no_grad():
        norm = mean_of_items((x0 - z).abs()).clamp_min(LEAST_NORM)
    return mean_of_items((x0 - z).square()) / norm
