"""DMDR (arXiv 2511.13649): few-step distillation whose student also learns from rewards, held by what distils it.

    L = L_DMD + lambda·L_reward      after a cold start of L_DMD alone

Two things change in the first updates, by one cosine c = (1 + cos(pi·k/n)) / 2 that falls from 1 to 0 at update n.
Dynamic distribution guidance: the teacher computes with a share of the fake score's adapter, so that both distributions
overlap from the beginning; the published 0.75·c of an adapter that the fake score has twice is 0.375·c of all of it.
Dynamic re-noising: DM looks at levels ~ Beta(1 + 3c, 1 + c/2), first at noisy ones, at last at all alike. L_DMD is
the decoupled loss, whose CA stays below the student's level (the authors' advice, vvvvvjdy/dmdr issue 4).
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ..._shapes import Float
from .matching_levels import HIGHEST, LOWEST

Through = Literal["grpo", "nft", "dpo"]
MOST_SHARED = 0.375
NOISY = (4.0, 1.5)  # of the Beta distribution at first


@dataclass(frozen=True, kw_only=True)
class Dmdr:
    """When rewards begin, what they count, and how long the teacher is helped, in updates of the student."""

    cold_start: int
    dynamic: int
    reward_weight: float = 0.1  # lambda
    through: Through = "grpo"
    group: int = 8  # pictures of a prompt that are compared

    def weight_at(self, update: int) -> float:
        """Of the reward's loss."""
        return self.reward_weight if update >= self.cold_start else 0.0

    def cosine(self, update: int) -> float:
        """c, which falls from 1 to 0."""
        return 0.5 * (1 + math.cos(math.pi * update / self.dynamic)) if update < self.dynamic else 0.0

    def shared_at(self, update: int) -> float:
        """The share of the fake score's adapter with which the teacher computes."""
        return MOST_SHARED * self.cosine(update)

    def draw_levels(self, n: int, update: int, generator: torch.Generator) -> Float[Tensor, " n"]:
        """Levels at which teacher and fake score are compared."""
        c = self.cosine(update)
        a, b = (1 + (most - 1) * c for most in NOISY)
        seed = int(torch.randint(2**63 - 1, (), generator=generator))  # PyTorch's own takes no generator
        drawn = np.random.default_rng(seed).beta(a, b, n)
        return LOWEST + (HIGHEST - LOWEST) * torch.from_numpy(drawn).float()
