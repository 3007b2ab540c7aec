"""One picture of a dataset."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Example:
    """A picture and what may be said of it; training draws one of the captions each time."""

    picture: Path
    captions: tuple[str, ...]
