"""Copies among pictures in memory, by the search of `duplicates`: each that need not stay has its keeper."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...scoring.pixels_digest import pixels_digest
from ..duplicates.communities import connected
from ..duplicates.dedup import DedupParameters
from ..duplicates.grouped import group
from ..duplicates.neighbours import joined, once
from ..duplicates.pair_search import CopyTest, Follow, search_of
from ..duplicates.told import kind_of, reason
from ..embedding.looks import Looks, look_of
from ..embedding.perceptual import described
from ..profiling import Found
from ..profiling.detail import copy_quality, detail
from ..profiling.measured import window
from ..profiling.opened import MOST_PIXELS, open_file, read_bytes

USUAL = DedupParameters()


class Seen(NamedTuple):
    """What of a picture is compared: 12 kB."""

    path: str
    look: NDArray[np.uint8]  # (64 64 3)
    pixels: bytes  # SHA-256
    quality: float  # more for more pixels, a better encoding and finer detail
    width: int
    height: int


class Copy(NamedTuple):
    """A picture, its keeper, which is itself where it stays, and why it need not stay."""

    path: str
    keeper: str
    kind: str  # kept, exact or near
    reason: str
    width: int
    height: int


def seen(found: Found) -> Seen | None:
    """A picture's look; None for one that cannot be read."""
    content, problem = (b"", found.problem) if found.problem else read_bytes(Path(found.path))
    opened = None if problem else open_file(Path(found.path), content, MOST_PIXELS)
    if opened is None or opened.picture is None or opened.header is None:
        return None
    picture = opened.picture
    middle = window(np.asarray(picture)).astype(np.float64)
    return Seen(
        found.path,
        look_of(picture),
        int(pixels_digest(picture), 16).to_bytes(32, "big"),
        copy_quality(picture.width * picture.height / 1e6, opened.header.encoding_quality, detail(middle)),
        picture.width,
        picture.height,
    )


@dataclass(frozen=True)
class Held:
    """Pictures in memory, as the search takes them."""

    look: Looks
    quality: NDArray[np.float64]
    pixels: Any  # (n) of NumPy's V32
    has_vector: NDArray[np.bool_]
    vector: NDArray[np.float32]

    def vectors(self) -> NDArray[np.float32]:
        """(n c), of length 1."""
        return self.vector

    def looks(self) -> Looks:
        """(n 64 64 3)."""
        return self.look


def copies_among(pictures: Sequence[Seen], most_difference: float, follow: Follow = iter) -> list[Copy]:
    """All pictures in the order of their paths, each with its keeper: of equals the one with the shortest name.

    `most_difference` is in percent, as `DedupParameters` has it; `follow` goes through blocks of pairs, cell by cell.
    """
    if not pictures:
        return []
    ranked = sorted(pictures, key=lambda each: (len(each.path), each.path))
    test = CopyTest(least_cosine=USUAL.least_cosine, most_difference=most_difference)
    search = search_of(held(ranked), USUAL.neighbours, test, USUAL.seed)
    pairs = once(joined([search.copies_in(cell, follow) for cell in range(len(search.cells))]))
    found = group(search, connected(pairs.one, pairs.other, len(ranked)))
    listed: list[Copy] = []
    for number, each in enumerate(ranked):
        kind, keeper = kind_of(found, number), ranked[int(found.keeper[number])].path
        why = reason(kind, Path(keeper).name, found, number)
        listed.append(Copy(each.path, keeper, kind, why, each.width, each.height))
    return sorted(listed)


def held(pictures: Sequence[Seen]) -> Held:
    """What the search reads."""
    looks = np.stack([each.look for each in pictures])
    return Held(
        looks,
        np.array([each.quality for each in pictures]),
        np.frombuffer(b"".join(each.pixels for each in pictures), "V32"),
        np.ones(len(pictures), bool),
        described(looks),
    )
