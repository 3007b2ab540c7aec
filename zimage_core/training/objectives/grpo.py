"""Flow-GRPO (arXiv 2505.05470): a sampler whose chosen steps are random learns from rewards of what it draws.

A step from sigma to sigma' becomes a policy by noise. Flow-SDE keeps the marginals of the ODE; ds = sigma' - sigma < 0,
eta = a·sqrt(sigma / (1 - sigma)), at sigma = 1 with 1 - sigma' in the denominator:

    mean = x + v·ds + eta²/(2·sigma) · (x + (1 - sigma)·v) · ds        std = eta·sqrt(-ds)

CPS (coefficient-preserving, arXiv 2509.05952) takes noise away before it adds some, so that few steps leave none:

    std = sigma'·sin(a·pi/2)    mean = (1 - sigma')·x0 + sqrt(sigma'² - std²)·noise_hat

with x0 = x - sigma·v and noise_hat = x + (1 - sigma)·v. With a = 1 a prediction is noised anew, as few-step students
are fed. Pictures of one prompt are a group: A = (r - mean) / (std + 1e-4), and with ratio = exp(logp - logp_old)

    L = mean max(-A·ratio, -A·clip(ratio, 1 ± c)) + beta·KL(policy || base)

Probabilities are means over a latent's values, so ratios stay near 1 and c is small.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from ..._shapes import Float
from .matching_levels import in_float, mean_of_items

LEAST_STD = 1e-4  # of a group's rewards: what is divided by is this more


class Transition(NamedTuple):
    """The normal distribution of a step's end."""

    mean: Float[Tensor, "b ..."]
    std: float

    def drawn(self, noise: Float[Tensor, "b ..."]) -> Float[Tensor, "b ..."]:
        """An end of the step; its mean to the bit where the step has no noise."""
        return self.mean + self.std * noise


@runtime_checkable
class NoisyStep(Protocol):
    """A step of a sampler as a policy."""

    def transition(
        self, x: Float[Tensor, "b ..."], velocity: Float[Tensor, "b ..."], sigma: float, sigma_next: float
    ) -> Transition:
        """Where a step from `sigma` to `sigma_next` ends."""
        ...

    def log_probability(self, x_next: Float[Tensor, "b ..."], of: Transition) -> Float[Tensor, " b"]:
        """Of an end; the mean over its values."""
        ...


@dataclass(frozen=True, kw_only=True)
class FlowSde:
    """The stochastic equation with the marginals of the flow; with `noise` 0 it is Euler's step."""

    noise: float = 0.7  # a

    def transition(self, x: Tensor, velocity: Tensor, sigma: float, sigma_next: float) -> Transition:
        x, velocity, ds = in_float(x), in_float(velocity), sigma_next - sigma
        eta = self.noise * math.sqrt(sigma / (1 - (sigma if sigma < 1 else sigma_next)))
        drift = eta**2 / (2 * sigma) * ds  # along noise_hat
        mean = x * (1 + drift) + velocity * (ds + drift * (1 - sigma))
        return Transition(mean, eta * math.sqrt(-ds))

    def log_probability(self, x_next: Tensor, of: Transition) -> Float[Tensor, " b"]:
        distance = mean_of_items((in_float(x_next) - of.mean).square())
        return -distance / (2 * of.std**2) - math.log(of.std) - 0.5 * math.log(2 * math.pi)


@dataclass(frozen=True, kw_only=True)
class Cps:
    """Keeps the share of noise that each level has, however few steps there are."""

    noise: float = 1.0  # a

    def transition(self, x: Tensor, velocity: Tensor, sigma: float, sigma_next: float) -> Transition:
        x, velocity = in_float(x), in_float(velocity)
        std = sigma_next * math.sin(self.noise * math.pi / 2)
        kept = math.sqrt(max(0.0, sigma_next**2 - std**2))
        x0, noise_hat = x - sigma * velocity, x + (1 - sigma) * velocity
        return Transition((1 - sigma_next) * x0 + kept * noise_hat, std)

    def log_probability(self, x_next: Tensor, of: Transition) -> Float[Tensor, " b"]:
        """As published without the variance, which would let the last steps outweigh all others."""
        return -mean_of_items((in_float(x_next) - of.mean).square())


def group_advantages(
    rewards: Float[Tensor, "k g n"], weights: Float[Tensor, " k"], most: float = 5.0
) -> Float[Tensor, "g n"]:
    """How much better each of n pictures is than its group of one prompt, over k rewards with weights.

    Every reward is normalized by itself, so that its scale does not matter. NaN is a reward that is not known, for
    which a picture is as good as its group; a group without differences has advantages of 0.
    """
    rewards = rewards.double()
    mean = rewards.nanmean(dim=-1, keepdim=True)
    std = (rewards - mean).square().nanmean(dim=-1, keepdim=True).sqrt()
    single = ((rewards - mean) / (std + LEAST_STD)).nan_to_num(nan=0.0)
    shares = weights.double() / weights.abs().sum()
    return torch.einsum("k,kgn->gn", shares, single).clamp(-most, most)


def grpo_losses(
    log_probability: Float[Tensor, " b"],
    old: Float[Tensor, " b"],
    advantage: Float[Tensor, " b"],
    clip: float = 1e-4,
) -> Float[Tensor, " b"]:
    """Less of what was worse than its group, more of what was better, while the policy is near the one that drew it."""
    ratio = torch.exp(log_probability - old.detach())
    return torch.maximum(-advantage * ratio, -advantage * ratio.clamp(1 - clip, 1 + clip))


def kl_losses(policy: Transition, base: Transition) -> Float[Tensor, " b"]:
    """KL divergence of two normal distributions of one std, the mean over a latent's values.

    Flow-GRPO leaves the step's length out of its std: its beta of 0.04 in ten steps is about 0.004 here.
    """
    return mean_of_items((policy.mean - base.mean.detach()).square()) / (2 * policy.std**2)
