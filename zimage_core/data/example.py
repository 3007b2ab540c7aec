"""One picture of a dataset."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, overload


@dataclass(frozen=True, kw_only=True)
class Example:
    """A picture and what may be said of it; training draws one of the captions each time."""

    picture: Path
    captions: tuple[str, ...]
    references: tuple[Path, ...] = ()  # pictures that the captions, which are instructions, make this one of
    mask: Path | None = None  # how much each place counts: white fully, black not at all
    repeats: int = 1  # in each epoch


class ExamplesByPlace(Sequence[Example]):
    """Examples that are made when they are asked for."""

    def at(self, place: int) -> Example:
        """The example at a place from 0 on."""
        raise NotImplementedError

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> list[Example]: ...
    def __getitem__(self, index: int | slice) -> Example | list[Example]:
        places = range(len(self))[index]
        return self.at(places) if isinstance(places, int) else [self.at(place) for place in places]


class ReadDataset(NamedTuple):
    """What is to be learned, and what must not change meanwhile (regularization)."""

    examples: Sequence[Example]
    regularization: Sequence[Example] = ()


def hash_of(examples: Iterable[Example]) -> str:
    """A hash of all pictures and captions, in hexadecimal digits."""
    digest = hashlib.blake2b(digest_size=20)
    for example in examples:
        digest.update(example.picture.read_bytes() + "\0".join(example.captions).encode())
        for file in (*example.references, *filter(None, [example.mask])):
            digest.update(file.read_bytes())
        if example.repeats != 1:
            digest.update(f"{example.repeats} times".encode())
    return digest.hexdigest()
