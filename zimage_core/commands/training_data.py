"""What `zimage train` learns from: every source of a stage, read and encoded."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from tqdm import tqdm

from ..data import Example, hash_of, read_dataset
from ..nano.data.curriculum_sets import DRAWN
from ..recipes import TrainingConfig
from ..request import default_size
from ..training.distributed import Processes
from ..training.encoded import Encoders
from ..training.encoded_files import EncodedSet
from ..training.flow_training import TrainingSet, divided

NANO = "nano:"  # names of sets begin with it


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """What is learned, by its sources, and what must not change."""

    sources: Sequence[Sequence[Example]]
    kept: Sequence[Example]

    @property
    def learned(self) -> chain[Example]:
        """All that is learned."""
        return chain.from_iterable(self.sources)

    @property
    def n_learned(self) -> int:
        """How many pictures that are."""
        return sum(map(len, self.sources))

    def identity(self, config: TrainingConfig) -> dict[str, object]:
        """What of them makes a run another one."""
        shares = [
            [len(examples), source.weight, source.shift]
            for examples, source in zip(self.sources, config.sources, strict=True)
        ]
        return {"data": hash_of(self.learned), **({"mixture": shares} if len(shares) > 1 else {})}


def read_pictures(config: TrainingConfig, state: Path, processes: Processes) -> Pictures:
    """Read a stage's folders. Raises ValueError with one sentence for what cannot be trained on."""
    read = [read_dataset(picture_folder(each.folder, state, processes), config.caption) for each in config.sources]
    kept = [each.regularization for each in read if each.regularization]
    if config.regularization:
        kept.append(read_dataset(picture_folder(config.regularization, state, processes)).examples)
    return Pictures(
        sources=[each.examples for each in read], kept=kept[0] if len(kept) == 1 else list(chain.from_iterable(kept))
    )


def picture_folder(place: Path, state: Path, processes: Processes) -> Path:
    """A folder of pictures; sets with a name of their own are drawn beside the state."""
    write = DRAWN.get(str(place))
    if write is None and str(place).startswith(NANO):
        raise ValueError(
            f"{place} is no set that is drawn here: choose {', '.join(DRAWN)}. Others are for make nano alone"
        )
    if write is None:
        return place
    folder = state / str(place).partition(":")[2]
    if processes.is_first:
        write(folder)
    processes.wait()
    return folder


def encoded_dataset(
    config: TrainingConfig, encoders: Encoders, pictures: Pictures, processes: Processes
) -> tuple[TrainingSet, EncodedSet]:
    """What is trained on, and what is validated with. Processes share the encoding."""
    side, total = config.side or default_size(config.model, ())[0], pictures.n_learned + len(pictures.kept)
    mine = islice(chain(pictures.learned, pictures.kept), processes.rank, None, processes.count)
    n_mine = len(range(processes.rank, total, processes.count))
    with tqdm(mine, total=n_mine, unit="picture", file=sys.stderr, leave=False, disable=not processes.is_first) as bar:
        files = [encoders.files(example, side * side) for example in bar]
    processes.wait()
    if processes.count > 1:  # the others' are in the folder now
        files = [encoders.files(example, side * side) for example in chain(pictures.learned, pictures.kept)]
    sizes = [len(each) for each in pictures.sources]
    return divided(EncodedSet(encoders.folder, files), sizes, config.sources, encoders.caption(""))
