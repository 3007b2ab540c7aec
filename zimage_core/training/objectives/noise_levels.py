"""Which noise levels training draws, and how much the loss at each counts.

Trainers differ in little else. Uniform levels with a shift are what ComfyUI's own node draws, as its percent of a
schedule is uniform; the sigmoid of a normal distribution is the published choice (arXiv 2511.22699, section 4.3).
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..._shapes import Float
from ...sampling import shift_sigma

# integral of exp(-2·(s - 1/2)²) - exp(-1/2) over [0, 1], which makes the mean of the bell 1
BELL_AREA = math.sqrt(math.pi / 2) * math.erf(math.sqrt(0.5)) - math.exp(-0.5)


@dataclass(frozen=True, kw_only=True)
class NoiseLevels:
    """A distribution of noise levels in (0, 1) and the weights of their losses."""

    distribution: Literal["logit-normal", "uniform"] = "logit-normal"
    mean: float = 0.0  # of the normal
    std: float = 1.0
    shift: float | Literal["dynamic"] = 1.0  # toward noise; dynamic: by the number of image tokens, as in pre-training
    weighting: Literal["none", "bell", "sigma2"] = "none"

    def draw(self, n: int, n_tokens: int, generator: torch.Generator) -> Float[Tensor, " n"]:
        """Levels for `n` pictures of `n_tokens` image tokens each."""
        if self.distribution == "uniform":
            levels = torch.rand(n, generator=generator)
        else:
            levels = torch.sigmoid(self.mean + self.std * torch.randn(n, generator=generator))
        return shift_sigma(levels, dynamic_shift(n_tokens) if self.shift == "dynamic" else self.shift)

    def weight(self, sigma: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        """Factors of the losses; the bell is DiffSynth-Studio's, sigma² is the loss on the clean picture."""
        match self.weighting:
            case "bell":
                return (torch.exp(-2 * (sigma - 0.5).square()) - math.exp(-0.5)) / BELL_AREA
            case "sigma2":
                return sigma.square()
            case _:
                return torch.ones_like(sigma)


def dynamic_shift(n_tokens: int) -> float:
    """exp(mu), mu linear in the number of image tokens: 0.5 at 256, 1.15 at 4096 (the release's scheduler config)."""
    return math.exp(0.5 + (n_tokens - 256) * (1.15 - 0.5) / (4096 - 256))
