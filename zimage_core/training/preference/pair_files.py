"""Preference pairs from a JSONL file, with their pictures encoded: what Diffusion-DPO learns from."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import overload

from ...data import Example
from ...data.preferences import Preference, read_preferences
from ..encoded import Encoders
from ..encoded_files import ExampleFiles, load_example, longest_caption
from .pair_lesson import EncodedPair


def read_pairs(file: Path) -> list[Preference]:
    """Choices that are no draws, whose pictures are all there. Raises ValueError with one sentence."""
    if not file.is_file():
        raise ValueError(f"{file}: there is no such file; give one that Z-Image Preference wrote")
    pairs = [each for each in read_preferences(file) if not each.draw]
    if not pairs:
        raise ValueError(f"{file} holds no choice between two pictures: compare some first")
    places = dict.fromkeys(place for each in pairs for place in (each.chosen, each.rejected))
    missing = [place for place in places if not (file.parent / place).is_file()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ValueError(
            f"{file} names pictures that are not there ({missing[0]}{more}): bring them back, or delete those lines"
        )
    return pairs


def hash_of_pairs(pairs: Sequence[Preference]) -> str:
    """Of what is learned, in hexadecimal digits."""
    return hashlib.blake2b("\n".join(lines_of(pairs)).encode(), digest_size=16).hexdigest()


def lines_of(pairs: Sequence[Preference]) -> list[str]:
    """Each pair in one line that no other pair has."""
    return [f"{each.prompt}\0{each.chosen}\0{each.rejected}" for each in pairs]


def encoded_pairs(
    encoders: Encoders, file: Path, pairs: Sequence[Preference], area: int, on_pair: Callable[[], object] = lambda: None
) -> "EncodedPairs":
    """Encode what was not encoded before, at most `area` pixels each.

    Raises ValueError for a picture that cannot be read, or two of one pair with different shapes.
    """
    found = list[tuple[ExampleFiles, ExampleFiles]]()
    for each in pairs:
        chosen, rejected = (
            encoders.files(Example(picture=file.parent / place, captions=(each.prompt,)), area)
            for place in (each.chosen, each.rejected)
        )
        found.append((chosen, rejected))
        shapes = [tuple(load_example(encoders.folder, one).picture.mean.shape) for one in (chosen, rejected)]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"{each.chosen} and {each.rejected} of {file} have different shapes, so they cannot be compared under "
                "one noise: delete that line"
            )
        on_pair()
    return EncodedPairs(encoders.folder, found)


class EncodedPairs(Sequence[EncodedPair]):
    """Pairs in a folder, each read when it is asked for."""

    def __init__(self, folder: Path, files: Sequence[tuple[ExampleFiles, ExampleFiles]]) -> None:
        self.folder, self.files = folder, files

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[EncodedPair]:
        return (self[index] for index in range(len(self)))

    @overload
    def __getitem__(self, index: int) -> EncodedPair: ...
    @overload
    def __getitem__(self, index: slice) -> list[EncodedPair]: ...
    def __getitem__(self, index: int | slice) -> EncodedPair | list[EncodedPair]:
        if isinstance(index, slice):
            return [self[each] for each in range(len(self))[index]]
        chosen, rejected = (load_example(self.folder, each) for each in self.files[index])
        return EncodedPair(chosen.picture, rejected.picture, chosen.captions[0])

    def longest(self) -> int:
        """Tokens of the longest prompt."""
        return longest_caption(self.folder, [name for chosen, _ in self.files for name in chosen.captions])

    def difficulties(self) -> list[float]:
        """How long each prompt is: a prompt that asks for more is more difficult."""
        return [float(len(pair.caption)) for pair in self]
