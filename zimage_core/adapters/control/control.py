"""`Control`: a Fun ControlNet with its image, strength and range of noise levels.

Published implementations compute versions 2.0 and 2.1 differently. All three are available by name:

- "author" (VideoX-Fun): control blocks process all tokens, those of the caption and pad tokens too, and all of them
  receive hints, in the model's noise refiner as well as in its layers.
- "diffusers" (0.42.1): hints for the noise refiner are added to a copy of the image tokens, which only the control
  layers read; the model's own refiner receives none. The rest is as the author's, and so is all of 1.0.
- "comfyui" (0.30.0): as the author's, but control blocks process and hint only the image tokens without pads.

Letters: r control images (1 or the batch size), n patches, d model width.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from torch import Tensor

from ..._shapes import Float
from .network import ControlNet

Implementation = Literal["author", "diffusers", "comfyui"]

DEFAULT_STRENGTH = 0.8  # the model cards recommend 0.65 to 0.80 for 1.0 and 0.65 to 0.90 for 2.x


class SigmaRange(NamedTuple):
    """Noise levels sigma in [0, 1] from `start` down to `end`, both included."""

    start: float = 1.0
    end: float = 0.0

    @classmethod
    def of_percents(cls, percents: tuple[float, float], percent_to_sigma: Callable[[float], Any]) -> "SigmaRange":
        """That of two parts of a schedule, 0 to 1 from its start, by the schedule's own conversion."""
        return cls(*(float(percent_to_sigma(each)) for each in percents))

    def covers(self, sigma: float) -> bool:
        return self.end <= sigma <= self.start


ALWAYS = SigmaRange()


@dataclass(frozen=True, eq=False, kw_only=True)
class Control:
    """One ControlNet, the embedded tokens of its image, and how strongly and when it applies."""

    network: ControlNet
    tokens: Float[Tensor, "r n d"]  # network.embed(context), the same for all steps
    strength: float = DEFAULT_STRENGTH
    sigma_range: SigmaRange = ALWAYS
    implementation: Implementation = "author"

    def is_active(self, sigma: float) -> bool:
        """Whether the ControlNet runs at this noise level."""
        return self.strength != 0 and self.sigma_range.covers(sigma)
