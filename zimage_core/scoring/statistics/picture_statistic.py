"""A picture's statistic as a score; it needs no request."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..score import Measurement, Request
from .light import Levels, contrast, noise, saturation, sharpness
from .steps import NEIGHBOURS, banding, seam_strength

SMALLEST = 2 * NEIGHBOURS + 2  # pixels: below it there are too few lines to compare


@dataclass(frozen=True, kw_only=True)
class PictureStatistic:
    """One formula over a picture's levels."""

    name: str
    formula: Callable[[Levels], float]
    higher_is_better: bool
    reader: str = "8-bit levels"

    def __call__(self, pictures: Sequence[Image.Image], requests: Sequence[Request]) -> list[Measurement]:
        """A number for every picture that is large enough."""
        return [self._measure(picture) for picture, _ in zip(pictures, requests, strict=True)]

    def _measure(self, picture: Image.Image) -> Measurement:
        if min(picture.size) < SMALLEST:
            width, height = picture.size
            return Measurement.missing(
                f"a picture of {width}x{height} is too small; give one of at least {SMALLEST} pixels"
            )
        return Measurement(value=self.formula(np.asarray(picture.convert("RGB"), dtype=np.float64)))


STATISTICS = {
    statistic.name: statistic
    for statistic in (
        PictureStatistic(name="sharpness", formula=sharpness, higher_is_better=True),
        PictureStatistic(name="contrast", formula=contrast, higher_is_better=True),
        PictureStatistic(name="saturation", formula=saturation, higher_is_better=True),
        PictureStatistic(name="noise", formula=noise, higher_is_better=False),
        PictureStatistic(name="banding", formula=banding, higher_is_better=False),
        PictureStatistic(name="seam strength", formula=seam_strength, higher_is_better=False),
    )
}
