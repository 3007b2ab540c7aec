"""One picture of a dataset."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Example:
    """A picture and what may be said of it; training draws one of the captions each time."""

    picture: Path
    captions: tuple[str, ...]


def hash_of(examples: Iterable[Example]) -> str:
    """A hash of all pictures and captions, in hexadecimal digits."""
    digest = hashlib.blake2b(digest_size=20)
    for example in examples:
        digest.update(example.picture.read_bytes() + "\0".join(example.captions).encode())
    return digest.hexdigest()
