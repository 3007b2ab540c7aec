"""Classifier-free guidance on velocities.

`cfg` has ComfyUI's meaning: 1 is off. The reference pipeline's guidance_scale is cfg - 1.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .._shapes import Bool, Float


@dataclass(frozen=True, kw_only=True)
class Guidance:
    """Guidance scale, norm limit and interval. The defaults disable guidance."""

    cfg: float = 1.0
    normalization: float = 0.0  # cap the guided velocity's norm at this multiple of the unguided one; 0 = no cap
    truncation: float = 1.0  # guidance stops when network time 1 - sigma exceeds this; 1 = never
    start: float = 0.0  # and starts when network time has reached this; 0 = at once

    def __post_init__(self) -> None:
        if not 1 <= self.cfg < math.inf:  # NaN is refused, too
            raise ValueError(f"cfg must be at least 1 (1 = no guidance), not {self.cfg}")
        if not 0 <= self.normalization < math.inf:
            raise ValueError(f"cfg normalization must be 0 (off) or a positive multiple, not {self.normalization}")
        if math.isnan(self.truncation):
            raise ValueError(f"guidance must end between 0 (noise) and 1 (picture), not at {self.truncation}")
        if not 0 <= self.start <= 1:
            raise ValueError(f"guidance must start between 0 (noise) and 1 (picture), not at {self.start}")
        if self.cfg > 1 and self.start > self.truncation:
            raise ValueError(
                f"guidance would never act: it starts at {self.start} of the way from noise to picture and ends at "
                f"{self.truncation}; start it earlier, end it later, or set cfg to 1"
            )

    @property
    def has_interval(self) -> bool:
        """Whether guidance is off at some noise levels (Kynkäänniemi et al. 2024, arXiv 2404.07724)."""
        return self.start > 0 or self.truncation < 1

    def is_active(self, sigma: float) -> bool:
        """Whether this noise level needs the negative prompt's velocity."""
        return self.cfg > 1 and (not self.has_interval or self.start <= 1 - sigma <= self.truncation)

    def active(self, sigmas: Float[Tensor, " n"]) -> Bool[Tensor, " n"]:
        """`is_active` of many noise levels at once."""
        if self.cfg <= 1 or not self.has_interval:
            return torch.full_like(sigmas, self.cfg > 1, dtype=torch.bool)
        return (self.start <= 1 - sigmas) & (1 - sigmas <= self.truncation)

    def __call__(
        self, positive: Float[Tensor, "b c h w"], negative: Float[Tensor, "b c h w"]
    ) -> Float[Tensor, "b c h w"]:
        """The guided velocity, in float32."""
        positive, negative = positive.float(), negative.float()
        guided = positive + (self.cfg - 1) * (positive - negative)
        if not self.normalization:
            return guided
        limit, length = self.normalization * norm(positive), norm(guided)
        return torch.where(length > limit, guided * (limit / length), guided)


UNGUIDED = Guidance()


def norm(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 1 1 1"]:
    """Euclidean length of each item over all its elements."""
    return torch.linalg.vector_norm(x, dim=(1, 2, 3), keepdim=True)
