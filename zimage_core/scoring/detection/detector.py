"""Objects found in a picture, from any source: a checker of small worlds, a user's detector, boxes on the canvas."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from PIL import Image

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels


class DetectorError(ValueError):
    """A detector that is missing or broken; its message is one sentence for a person."""


@dataclass(frozen=True, kw_only=True)
class Detection:
    """One object."""

    name: str
    box: Box
    confidence: float = 1.0
    colour: str | None = None  # where the detector tells it


@runtime_checkable
class Detector(Protocol):
    """Finds objects."""

    @property
    def name(self) -> str:
        """Who looks, with a version; stands beside every number."""
        ...

    def detect(self, picture: Image.Image) -> Sequence[Detection]:
        """Every object it knows of, in any order; raises `DetectorError` where it could not look."""
        ...


@runtime_checkable
class ColourReader(Protocol):
    """Names the colour of an object."""

    @property
    def name(self) -> str:
        """Who looks."""
        ...

    def colours(self, picture: Image.Image, found: Sequence[Detection], names: Sequence[str]) -> Sequence[str]:
        """For each object one of the names."""
        ...
