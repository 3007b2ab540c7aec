"""Encoded examples that stay on disk until a step wants them, so that a dataset of any size takes little memory."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, overload

from safetensors.torch import load_file
from torch import Tensor

from ..model import Reference
from .encoded_example import EncodedExample, EncodedPicture, Seen


class SeenFiles(NamedTuple):
    """Names of the files of what an edit looks at; those of features are None without a vision encoder."""

    latents: tuple[str, ...]
    features: tuple[str | None, ...]
    before: tuple[str, ...]
    after: str
    no_caption: str


class ExampleFiles(NamedTuple):
    """Names of an example's files in the folder of what was encoded."""

    picture: str
    captions: tuple[str, ...]
    seen: SeenFiles | None = None
    weight: str | None = None
    repeats: int = 1  # in each epoch


class EncodedSet(Sequence[EncodedExample]):
    """Examples in a folder, each read when it is asked for."""

    def __init__(self, folder: Path, files: Sequence[ExampleFiles]) -> None:
        self.folder, self.files = folder, files

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[EncodedExample]:
        return (load_example(self.folder, each) for each in self.files)

    @overload
    def __getitem__(self, index: int) -> EncodedExample: ...
    @overload
    def __getitem__(self, index: slice) -> "EncodedSet": ...
    def __getitem__(self, index: int | slice) -> "EncodedExample | EncodedSet":
        if isinstance(index, slice):
            return EncodedSet(self.folder, self.files[index])
        return load_example(self.folder, self.files[index])

    def repeated(self) -> "EncodedSet":
        """Each example as often as an epoch has it."""
        return EncodedSet(self.folder, [each for each in self.files for _ in range(each.repeats)])


class EncodedCaptions(Sequence[Tensor]):
    """Text features (n, f) in a folder, each read when it is asked for."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.folder, self.names = folder, names

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Tensor: ...
    @overload
    def __getitem__(self, index: slice) -> list[Tensor]: ...
    def __getitem__(self, index: int | slice) -> Tensor | list[Tensor]:
        if isinstance(index, slice):
            return [_features(self.folder, name) for name in self.names[index]]
        return _features(self.folder, self.names[index])


def load_example(folder: Path, files: ExampleFiles) -> EncodedExample:
    """An example from its files."""
    return EncodedExample(
        picture=EncodedPicture(**load_encoded(folder, files.picture)),
        captions=tuple(_features(folder, name) for name in files.captions),
        seen=files.seen and _load_seen(folder, files.seen),
        weight=None if files.weight is None else load_encoded(folder, files.weight)["weight"],
    )


def load_encoded(folder: Path, name: str) -> dict[str, Tensor]:
    """The tensors of a file."""
    return load_file(folder / f"{name}.safetensors")


def _load_seen(folder: Path, files: SeenFiles) -> Seen:
    return Seen(
        references=tuple(
            Reference(load_encoded(folder, latent)["mean"], None if name is None else _features(folder, name))
            for latent, name in zip(files.latents, files.features, strict=True)
        ),
        before=tuple(_features(folder, name) for name in files.before),
        after=_features(folder, files.after),
        no_caption=_features(folder, files.no_caption),
    )


def _features(folder: Path, name: str) -> Tensor:
    return load_encoded(folder, name)["features"]
