"""Pictures of one prompt, drawn by a sampler whose chosen steps are random: those steps are what is learned from.

All other steps are Euler's (MixGRPO, arXiv 2507.21802), and all pictures start from one noise, so that they differ by
what was decided at the chosen steps alone.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from ..._shapes import Float
from ...sampling import shifted_schedule
from ..objectives.grpo import FlowSde, NoisyStep
from ..objectives.matching_levels import drawn_like

Velocity = Callable[[Tensor, float], Tensor]


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """How pictures are drawn to be rewarded."""

    cells: tuple[int, int]  # height and width of the latents
    steps: int = 10
    shift: float = 6.0
    cfg: float = 4.0  # 1 is no guidance
    rule: NoisyStep = field(default_factory=FlowSde)
    noisy_steps: int = 2  # of the first half, drawn anew for each prompt; 0 leaves all Euler's

    def __post_init__(self) -> None:
        if not 0 <= self.noisy_steps <= self.steps // 2:
            raise ValueError(
                f"of {self.steps} steps the first {self.steps // 2} can be noisy: choose fewer than {self.noisy_steps} "
                "noisy steps, or more steps"
            )

    def noisy_places(self, generator: torch.Generator) -> set[int]:
        """Which steps are random."""
        return set(torch.randperm(self.steps // 2, generator=generator)[: self.noisy_steps].tolist())


class Decision(NamedTuple):
    """A random step: where it began, where it ended, and how probable that was."""

    sigma: float
    sigma_next: float
    x: Float[Tensor, "b c h w"]
    x_next: Float[Tensor, "b c h w"]
    log_probability: Float[Tensor, " b"]


class Drawn(NamedTuple):
    """Pictures that ran as one batch."""

    latents: Float[Tensor, "b c h w"]
    decisions: tuple[Decision, ...]


@torch.no_grad()
def draw(
    velocity: Velocity, start: Float[Tensor, "b c h w"], drawing: Drawing, noisy: set[int], generator: torch.Generator
) -> Drawn:
    """The pictures of `start`, in as many calls of the velocity as there are steps."""
    x, decisions = start, list[Decision]()
    levels = shifted_schedule(drawing.steps, drawing.shift).tolist()
    for place, (sigma, sigma_next) in enumerate(pairwise(levels)):
        v = velocity(x, sigma)
        if place not in noisy:
            x = x + (sigma_next - sigma) * v
            continue
        step = drawing.rule.transition(x, v, sigma, sigma_next)
        x_next = step.drawn(drawn_like(x, generator))
        decisions.append(Decision(sigma, sigma_next, x, x_next, drawing.rule.log_probability(x_next, step)))
        x = x_next
    return Drawn(x, tuple(decisions))


def draw_in_batches(
    velocity: Velocity,
    starts: Float[Tensor, "n c h w"],
    drawing: Drawing,
    noisy: set[int],
    size: int,
    generator: torch.Generator,
) -> Iterator[Drawn]:
    """The same, `size` pictures at once."""
    for first in range(0, len(starts), size):
        yield draw(velocity, starts[first : first + size], drawing, noisy, generator)
