"""What a student is fed: latents of its own making, at a level of a grid of few steps (backward simulation, DMD2).

A student that learned on one grid alone is spoiled for every other number of steps and solver; so each item may have
a grid of its own, of 1 to N levels with the first at pure noise and the others drawn (CDM, arXiv 2605.06376).
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ..._shapes import Bool, Float, Int
from ...sampling import shift_sigma, shifted_schedule
from ..objectives.matching_levels import LOWEST, drawn_like, per_item, renoised

# (latents, their levels (b,), which items of the batch these are) -> velocity
Student = Callable[[Tensor, Tensor, Tensor], Tensor]


class Grid(NamedTuple):
    """Levels of each item, falling from 1, and which of them it is fed at."""

    levels: Float[Tensor, "b n"]
    place: Int[Tensor, " b"]

    @property
    def sigma(self) -> Float[Tensor, " b"]:
        """The levels that the items are fed at."""
        return self.levels.gather(1, self.place[:, None])[:, 0]


def fixed_grid(n_items: int, nfe: int, shift: float, generator: torch.Generator) -> Grid:
    """The schedule that pictures are drawn with, at a level drawn for each item."""
    levels = shifted_schedule(nfe, shift)[:-1].expand(n_items, -1)
    return Grid(levels, torch.randint(nfe, (n_items,), generator=generator))


def dynamic_grid(n_items: int, nfe: int, shift: float, generator: torch.Generator) -> Grid:
    """Each item has 1 to `nfe` levels: pure noise, then uniform ones, shifted toward noise. What follows is unused."""
    length = torch.randint(1, nfe + 1, (n_items,), generator=generator)
    place = (torch.rand(n_items, generator=generator) * length).long().clamp(max=length - 1)
    u = shift_sigma(LOWEST + (1 - LOWEST) * torch.rand(n_items * (nfe - 1), generator=generator), shift)
    is_used = torch.arange(1, nfe) < length[:, None]
    falling = torch.where(is_used, u.reshape(n_items, nfe - 1), 0.0).sort(dim=1, descending=True).values
    return Grid(torch.cat((torch.ones(n_items, 1), falling), dim=1), place)


@torch.no_grad()
def rollout(
    student: Student,
    noise: Float[Tensor, "b c h w"],
    grid: Grid,
    is_renoised: Bool[Tensor, " b"],
    generator: torch.Generator,
) -> Float[Tensor, "b c h w"]:
    """Latents at each item's level: by Euler's steps, or by noising each prediction anew, as few-step samplers do.

    The network is called only for items that are not there yet.
    """
    x, device = noise.clone(), noise.device
    levels, place, is_renoised = (each.to(device) for each in (grid.levels, grid.place, is_renoised))
    for step in range(int(grid.place.max())):
        items = (place > step).nonzero()[:, 0]
        sigma, sigma_next = levels[items, step], levels[items, step + 1]
        here = x[items]
        velocity = student(here, sigma, items)
        x0 = here - per_item(sigma, here) * velocity
        euler = here + per_item(sigma_next - sigma, here) * velocity
        anew = renoised(x0, sigma_next, drawn_like(noise, generator)[items])
        x[items] = torch.where(per_item(is_renoised[items], here), anew, euler)
    return x
