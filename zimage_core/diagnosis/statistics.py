"""What a latent's numbers say of the picture in it, from one reduction.

FLUX's scale and shift were chosen so that latents of pictures have mean 0 and variance 1 over all channels
(vae/config.json: 0.3611 and 0.1159), so a strength, the root of the mean square, of about 1 is what a picture has; nano
was trained to it. In 1,000 pictures by nano it lies between 0.6 and 1.3 (bench/log.md).

Letters: b batch, c channels, h w latent cells.
"""

from dataclasses import dataclass
from math import isfinite

import torch
from torch import Tensor

from .._shapes import Float

FAINT = 0.3  # strength below which no picture lies: latents of SD3's autoencoder, read as FLUX's, have 0.24
BURNT = 2.0  # strength above which colours are clipped: twice a picture's
FLAT = 0.05  # spread below which a latent is one colour: a plain white picture by nano has 0.4


@dataclass(frozen=True, kw_only=True)
class LatentStatistics:
    """Of one picture's latent, as the network sees it (scaled and shifted)."""

    strength: float  # root mean square over channels and cells
    spread: float  # the same of what is left without each channel's mean: 0 is one colour

    @property
    def is_finite(self) -> bool:
        """Whether no number is NaN or infinite."""
        return isfinite(self.strength)

    @property
    def is_flat(self) -> bool:
        """Whether it is one colour all over."""
        return self.spread < FLAT

    @property
    def is_faint(self) -> bool:
        """Whether it is far weaker than a picture's."""
        return self.strength < FAINT

    @property
    def is_burnt(self) -> bool:
        """Whether it is far stronger than a picture's."""
        return self.strength > BURNT

    @property
    def is_broken(self) -> bool:
        """Whether it is made of numbers and yet no picture."""
        return self.is_finite and (self.is_flat or self.is_faint or self.is_burnt)


def latent_statistics(
    latents: Float[Tensor, "b c h w"], scale: float = 1.0, shift: float = 0.0
) -> list[LatentStatistics]:
    """Of every picture; raw latents are read as (x - shift) * scale. Synchronizes with the device once."""
    variances, means = torch.var_mean(latents, dim=(-2, -1), correction=0)  # (b, c)
    within = variances.double() * scale**2
    square = within + ((means.double() - shift) * scale) ** 2
    both = torch.stack((square.mean(1), within.mean(1))).sqrt()  # (2, b)
    return [LatentStatistics(strength=strength, spread=spread) for strength, spread in zip(*both.tolist(), strict=True)]


def is_finite(values: Tensor) -> bool:
    """Whether no value of a tensor is NaN or infinite; synchronizes with the device."""
    return bool(values.sum(dtype=torch.float32).isfinite())
