"""How far one set of pictures is from another, through the features of any CLIP_VISION: one number for both sets.

Letters: n m pictures, c features.
"""

import json
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ....zimage_core.scoring.features.sets import halves_interval, kernel_distance
from .model_scores import ConnectedVision
from .scores import pil_pictures

NAME = "distance of sets"
LEAST = 2  # pictures in a set
LEAST_FOR_INTERVAL = 4


@dataclass(frozen=True, kw_only=True)
class SetDistance:
    """The squared MMD of the kernel (cosine + 1)^3, as KID takes it of other features, with a 95 % interval."""

    value: float
    interval: tuple[float, float] | None
    counts: tuple[int, int]
    reader: str

    @property
    def report(self) -> str:
        """The number, and of how many pictures."""
        n, m = self.counts
        low, high = self.interval or (0.0, 0.0)
        number = f"{self.value:.4g} ({low:.4g} to {high:.4g})" if self.interval else f"{self.value:.4g}"
        lines = [f"Distance of both sets by {self.reader}: {number}", f"{n} pictures against {m}; 0 is no difference"]
        return "\n".join(lines if self.interval else [*lines, "An interval takes 4 pictures or more in each set."])

    @property
    def shown(self) -> dict[str, Any]:
        """For the node."""
        return {"text": [self.report]}

    @property
    def facts(self) -> dict[str, Any]:
        """For a saved picture."""
        told = {"score": NAME, "reader": self.reader, "value": self.value}
        return {**told, "interval": self.interval, "pictures": list(self.counts)}

    @property
    def parts(self) -> str:
        """All of it as JSON."""
        return json.dumps({**self.facts, "higher_is_better": False})


def distance_of_sets(images: Tensor, references: Any, clip_vision: Any) -> SetDistance:
    """Between IMAGE (n, h, w, c) and IMAGE (m, h, w, c); ValueError where one is missing, or too few are there."""
    if clip_vision is None or references is None:
        raise ValueError(
            "A distance compares two sets of pictures: connect the other set to reference, and a vision model to "
            "clip_vision."
        )
    counts = len(images), len(references)
    if min(counts) < LEAST:
        raise ValueError(
            f"A distance of sets needs two pictures or more in each, and here are {counts[0]} and {counts[1]}."
        )
    encoder = ConnectedVision(clip_vision)
    one, other = (_features(encoder, each) for each in (images, references))
    has_interval = min(counts) >= LEAST_FOR_INTERVAL
    return SetDistance(
        value=kernel_distance(one, other),
        interval=halves_interval(kernel_distance, one, other) if has_interval else None,
        counts=counts,
        reader=encoder.name,
    )


def _features(encoder: ConnectedVision, images: Tensor) -> Tensor:
    """Vectors (n, c) of length c^0.5, so that the kernel reads their cosine whatever c is."""
    units = encoder.pictures(pil_pictures(images))
    return units * units.shape[1] ** 0.5
