"""What a training node is connected to."""

from typing import Any, NamedTuple

from .dataset import Dataset


class Sockets(NamedTuple):
    """ComfyUI's networks and the pictures; `kept` holds those of what must not change."""

    model: Any
    clip: Any
    vae: Any
    dataset: Dataset
    kept: Dataset | None

    @property
    def datasets(self) -> list[Dataset]:
        """One or both."""
        return [each for each in (self.dataset, self.kept) if each]
