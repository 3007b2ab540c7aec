"""DMD2's distribution matching (arXiv 2405.14867): what Decoupled DMD took apart. Its head is in `adversarial.py`.

    grad = ((x0 - x0_teacher(x, c; cfg)) - (x0 - x0_fake(x, c))) / mean|x0 - x0_teacher(x, c; cfg)|

at one level x = (1 - sigma)·x0 + sigma·noise, with the teacher's guided prediction. The division is the paper's weight
sigma²/alpha · CS / |…|_1 once the factor from score to x0 is cancelled: nothing of sigma is left.
"""

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


@torch.no_grad()
def dmd2(
    x0: Float[Tensor, "b ..."],
    teacher: Denoiser,
    teacher_uncond: Denoiser,
    fake: Denoiser,
    *,
    cfg: float,
    generator: torch.Generator,
) -> Float[Tensor, "b ..."]:
    """Where the student's x0 should go, as for `decoupled_dmd`."""
    x0 = in_float(x0.detach())
    sigma = draw_levels(x0.new_full((len(x0),), HIGHEST), LOWEST, generator)
    x = renoised(x0, sigma, drawn_like(x0, generator))
    conditional, unconditional = in_float(teacher(x, sigma)), in_float(teacher_uncond(x, sigma))
    to_real = x0 - (unconditional + cfg * (conditional - unconditional))
    to_fake = x0 - in_float(fake(x, sigma))
    gradient = (to_real - to_fake) / per_item(mean_of_items(to_real.abs()), x0)
    return x0 - gradient.nan_to_num()
