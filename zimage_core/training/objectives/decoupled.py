"""Decoupled DMD, which made Z-Image-Turbo (arXiv 2511.22677).

With guidance a the gradient of distribution matching falls into two parts (equations 6 and 8), here in noise levels
sigma, 1 = noise, and with clean predictions x0 in the place of scores:

    DM = x0_teacher(x_D, c) - x0_fake(x_D, c)                     holds the student where the teacher's pictures are
    CA = (a - 1) · (x0_teacher(x_C, c) - x0_teacher(x_C, null))   the engine: guidance that becomes part of the student

CA alone makes few steps possible and then burns; DM alone is stable and weak. What CA does at a level is done to the
content of that level, so x_C is noised no further than what the student was fed: sigma_C ~ U(0, sigma_k). DM has to see
everything: sigma_D ~ U(0, 1). Each part is divided by its own mean distance from the student's x0 to the teacher's; the
paper leaves that open, and this is the choice of CDM (arXiv 2605.06376), with a - 1 where CDM has a.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..._shapes import Float
from .matching_levels import (
    HIGHEST,
    LOWEST,
    Denoiser,
    draw_levels,
    drawn_like,
    in_float,
    mean_of_items,
    per_item,
    renoised,
)

# where CA and DM look: below the student's level and everywhere; both everywhere; both below; both at one level
Levels = Literal["decoupled", "full", "below", "shared"]


@dataclass(frozen=True, kw_only=True)
class DecoupledDmd:
    """The loss as published, and what its ablations change. A weight of 0 leaves a part out, and its network calls."""

    ca_weight: float = 1.0
    dm_weight: float = 1.0
    levels: Levels = "decoupled"
    normalizers: Literal["own", "shared"] = "own"  # shared: DMD2's, the distance to the guided teacher
    lowest: float = LOWEST
    highest: float = HIGHEST
    least_norm: float = 0.1  # what is divided by is at least this, or small distances would become large steps

    def __post_init__(self) -> None:
        if self.normalizers == "shared" and self.levels != "shared":
            raise ValueError(
                "one normalizer for both parts needs both at one level: choose shared levels, or own normalizers"
            )


@dataclass(frozen=True, kw_only=True)
class Matched:
    """Both directions in x0 space, as they are and divided by their norms, and the levels they were found at."""

    x0: Float[Tensor, "b ..."]
    sigma_ca: Float[Tensor, " b"]
    sigma_dm: Float[Tensor, " b"]
    ca: Float[Tensor, "b ..."]
    dm: Float[Tensor, "b ..."]
    ca_normalized: Float[Tensor, "b ..."]
    dm_normalized: Float[Tensor, "b ..."]

    @property
    def target(self) -> Float[Tensor, "b ..."]:
        """Where the student's x0 should go; a constant in gradients."""
        return self.x0 + self.ca_normalized + self.dm_normalized


@torch.no_grad()
def decoupled_dmd(
    x0: Float[Tensor, "b ..."],
    teacher: Denoiser,
    teacher_uncond: Denoiser,
    fake: Denoiser,
    *,
    sigma_k: Float[Tensor, " b"],
    cfg: float,
    generator: torch.Generator,
    options: DecoupledDmd = DecoupledDmd(),  # noqa: B008 - frozen
    sigma_dm: Float[Tensor, " b"] | None = None,
) -> Matched:
    """The directions for a student that predicted `x0` from latents of level `sigma_k`.

    The three networks take latents with their levels (b,) and return clean predictions; `cfg` is ComfyUI's, 1 = no
    guidance. DM looks at `sigma_dm` where it is given (DMDR). All arithmetic is at least in float32.
    """
    x0, sigma_k = in_float(x0.detach()), in_float(sigma_k)
    sigma_ca, drawn_dm = _levels(sigma_k, options, generator)
    sigma_dm = drawn_dm if sigma_dm is None else sigma_dm.to(drawn_dm)
    noise_ca, noise_dm = drawn_like(x0, generator), drawn_like(x0, generator)
    if options.levels == "shared":
        noise_ca = noise_dm
    zero = torch.zeros_like(x0)
    ca, dm, to_ca, to_dm, seen = zero, zero, zero, zero, zero
    if options.ca_weight:
        x = renoised(x0, sigma_ca, noise_ca)
        seen = in_float(teacher(x, sigma_ca))
        ca, to_ca = (cfg - 1) * (seen - in_float(teacher_uncond(x, sigma_ca))), seen - x0
    if options.dm_weight:
        x = renoised(x0, sigma_dm, noise_dm)
        seen = seen if options.levels == "shared" and options.ca_weight else in_float(teacher(x, sigma_dm))
        dm, to_dm = seen - in_float(fake(x, sigma_dm)), seen - x0
    if options.normalizers == "shared":
        to_ca = to_dm = (to_dm if options.dm_weight else to_ca) + ca  # the guided teacher's prediction, less x0
    return Matched(
        x0=x0,
        sigma_ca=sigma_ca,
        sigma_dm=sigma_dm,
        ca=ca,
        dm=dm,
        ca_normalized=options.ca_weight * ca / _norm(to_ca, options),
        dm_normalized=options.dm_weight * dm / _norm(to_dm, options),
    )


def _levels(sigma_k: Float[Tensor, " b"], options: DecoupledDmd, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The levels of CA and DM."""
    everywhere = torch.full_like(sigma_k, options.highest)
    below = sigma_k.clamp(max=options.highest)
    ca = draw_levels(below if options.levels in ("decoupled", "below") else everywhere, options.lowest, generator)
    dm = draw_levels(below if options.levels == "below" else everywhere, options.lowest, generator)
    return (dm if options.levels == "shared" else ca), dm


def _norm(distance: Float[Tensor, "b ..."], options: DecoupledDmd) -> Tensor:
    """The mean distance of each item, not of the batch: one item's would set the steps of the others."""
    return per_item(mean_of_items(distance.abs()).clamp_min(options.least_norm), distance)


def regression_losses(x0: Float[Tensor, "b ..."], target: Float[Tensor, "b ..."]) -> Float[Tensor, " b"]:
    """Half the squared distance; its gradient with respect to `x0` is the step away from the target over its size."""
    return 0.5 * mean_of_items((in_float(x0) - target.detach()).square())
