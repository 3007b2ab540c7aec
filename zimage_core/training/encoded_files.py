"""Encoded examples that stay on disk until a step wants them, so that a dataset of any size takes little memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, overload

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from ..model import Reference
from .encoded_example import EncodedExample, EncodedPicture, Seen

Read = Callable[[Path, str], dict[str, Tensor]]  # of a folder and a file's name
MOST_SHAPES = 2000  # examples of a large set whose shapes are looked at


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

    def shapes(self) -> Iterator[EncodedExample]:
        """Distinct examples on the meta device; of a large set so many, evenly spaced."""
        distinct = list(dict.fromkeys(self.files))
        step = max(1, len(distinct) // MOST_SHAPES)
        return (load_example(self.folder, each, load_shapes) for each in distinct[::step])


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
            return [load_encoded(self.folder, name)["features"] for name in self.names[index]]
        return load_encoded(self.folder, self.names[index])["features"]

    def longest(self) -> int:
        """Tokens of the longest; the files' headers tell."""
        return longest_caption(self.folder, self.names)


def longest_caption(folder: Path, names: Iterable[str]) -> int:
    """Tokens of the longest of some captions, from the headers of their files."""
    return max(len(load_shapes(folder, name)["features"]) for name in set(names))


def load_encoded(folder: Path, name: str) -> dict[str, Tensor]:
    """The tensors of a file."""
    return load_file(folder / f"{name}.safetensors")


def load_shapes(folder: Path, name: str) -> dict[str, Tensor]:
    """The tensors of a file without their values, on the meta device."""
    with safe_open(folder / f"{name}.safetensors", framework="pt") as opened:
        return {key: torch.empty(opened.get_slice(key).get_shape(), device="meta") for key in opened.keys()}  # noqa: SIM118


def load_example(folder: Path, files: ExampleFiles, read: Read = load_encoded) -> EncodedExample:
    """An example from its files."""
    return EncodedExample(
        picture=EncodedPicture(**read(folder, files.picture)),
        captions=tuple(read(folder, name)["features"] for name in files.captions),
        seen=files.seen and _load_seen(folder, files.seen, read),
        weight=None if files.weight is None else read(folder, files.weight)["weight"],
    )


def _load_seen(folder: Path, files: SeenFiles, read: Read) -> Seen:
    def features(name: str) -> Tensor:
        return read(folder, name)["features"]

    return Seen(
        references=tuple(
            Reference(read(folder, latent)["mean"], None if name is None else features(name))
            for latent, name in zip(files.latents, files.features, strict=True)
        ),
        before=tuple(map(features, files.before)),
        after=features(files.after),
        no_caption=features(files.no_caption),
    )
