"""What a stage learns from and must not change: the sockets' pictures, and what its recipe names beside them.

The dataset socket stands for the first folder of a recipe; the others of a mixture, and its `regularization` where no
socket is connected for that, are folders inside ComfyUI's input folder, or sets that are drawn for nano.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .....zimage_core.data import Example, ReadDataset, read_dataset
from .....zimage_core.nano.data.curriculum_sets import DRAWN
from .....zimage_core.recipes import TrainingConfig
from ..input_folders import folder_of, folder_of_input
from .dataset import Dataset
from .sockets import Sockets


@dataclass(frozen=True, kw_only=True)
class Learned:
    """Datasets, each with examples and perhaps with some that must not change."""

    sources: Sequence[Dataset]  # as many as the recipe names
    kept: Dataset | None

    @property
    def regularization(self) -> list[tuple[Dataset, Sequence[Example]]]:
        """All that must not change, with where it comes from."""
        datasets = [*self.sources, *([self.kept] if self.kept else [])]
        own = [(each, each.regularization) for each in datasets if each.regularization]
        return own + ([(self.kept, self.kept.examples)] if self.kept else [])

    def identity(self) -> bytes:
        """Changes with every picture and caption."""
        return b" ".join(each.identity() for each in (*self.sources, *([self.kept] if self.kept else [])))


def learned_of(sockets: Sockets, config: TrainingConfig) -> Learned:
    """Read what a stage's config names beside the sockets. Raises ValueError with one sentence."""
    others = [_dataset(each.folder, sockets, config) for each in config.sources[1:]]
    kept = sockets.kept
    if kept is None and config.regularization is not None:
        kept = _dataset(config.regularization, sockets, config)
    return Learned(sources=[sockets.dataset, *others], kept=kept)


def _dataset(place: Path, sockets: Sockets, config: TrainingConfig) -> Dataset:
    """A recipe's folder, at the size of the socket's pictures."""
    read: ReadDataset = read_dataset(_folder(place), config.caption)
    return Dataset(
        name=str(place), examples=read.examples, side=sockets.dataset.side, regularization=read.regularization
    )


def _folder(place: Path) -> Path:
    name = place.as_posix()
    if name not in DRAWN:
        return folder_of_input(name)
    short = name.partition(":")[2]  # no file system refuses it
    return folder_of(short, {short: DRAWN[name]})
