"""Diffusion-DPO (arXiv 2311.12908) on flow models: of two pictures of a prompt, more of the chosen one.

With e the mean squared error of the velocity, at one level and with one noise for both pictures, against the base's:

    L = -log sigmoid(-beta/2 · ((e_w - e_w_base) - (e_l - e_l_base))) + anchor·e_w

Both errors may rise as long as the rejected picture's rises more; the anchor, flow matching on the chosen one, stops
that. The Z-Image report (arXiv 2511.22699, section 4.6) begins with easy prompts; so does `easiest`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor
from torch.nn.functional import logsigmoid

from ..._shapes import Float
from .matching_levels import in_float, mean_of_items

LEAST_POOL = 0.25  # of all pairs, with which a curriculum begins


class Errors(NamedTuple):
    """Mean squared errors of the velocities of chosen and rejected pictures."""

    chosen: Float[Tensor, " b"]
    rejected: Float[Tensor, " b"]


@dataclass(frozen=True, kw_only=True)
class DiffusionDpo:
    """How sharply pairs are told apart, and what holds the chosen picture."""

    beta: float = 2000.0  # for errors that are means over a latent's values
    anchor: float = 0.1

    def margins(self, policy: Errors, base: Errors) -> Float[Tensor, " b"]:
        """Above 0 where the policy prefers the chosen picture more than the base does."""
        chosen, rejected = policy.chosen - base.chosen.detach(), policy.rejected - base.rejected.detach()
        return -0.5 * self.beta * (chosen - rejected)

    def losses(self, policy: Errors, base: Errors) -> Float[Tensor, " b"]:
        """One of each pair."""
        return -logsigmoid(self.margins(policy, base)) + self.anchor * policy.chosen


def velocity_errors(velocity: Float[Tensor, "b ..."], x0: Tensor, noise: Tensor) -> Float[Tensor, " b"]:
    """Of each item, in float32."""
    return mean_of_items((in_float(velocity) - (in_float(noise) - in_float(x0))).square())


def pair_errors(velocity: Float[Tensor, "2 ..."], both: Tensor, noise: Tensor) -> Errors:
    """Of the chosen picture, which is the first of `both`, and of the rejected one."""
    errors = velocity_errors(velocity, both, noise)
    return Errors(errors[:1], errors[1:])


def easiest(difficulties: Sequence[float], progress: float, easy_first: float) -> list[int]:
    """Indices of the pairs that may be drawn, the easiest first: a quarter of them at first, all after a share
    `easy_first` of the run; `progress` is from 0 to 1.
    """
    grown = 1.0 if progress >= easy_first else LEAST_POOL + (1 - LEAST_POOL) * progress / easy_first
    order = sorted(range(len(difficulties)), key=lambda index: difficulties[index])
    return order[: max(1, round(grown * len(order)))]
