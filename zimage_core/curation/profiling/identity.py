"""What tells one picture from another: digests of bytes and pixels, and a perceptual hash."""

import hashlib
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE, KEPT = 32, 8  # pixels of the reduced picture; of its lowest frequencies, each way


def sha256(content: bytes) -> str:
    """Of a file's bytes."""
    return hashlib.sha256(content).hexdigest()


def perceptual_hash(picture: Image.Image) -> str:
    """64 bits as 16 hexadecimal digits: which of the lowest 8x8 frequencies of 32x32 pixels are above their median.

    Zauner's pHash (2010). Two pictures of one motif differ in few bits.
    """
    grey = np.asarray(picture.convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS), np.float64)
    low = (cosines() @ grey @ cosines().T).ravel()
    return np.packbits(low > np.median(low)).tobytes().hex()


def hash_distance(one: str, other: str) -> int:
    """In how many of 64 bits two perceptual hashes differ."""
    return (int(one, 16) ^ int(other, 16)).bit_count()


@cache
def cosines() -> NDArray[np.float64]:
    """The first rows of the DCT-II (8 32)."""
    place, frequency = np.arange(SIDE), np.arange(KEPT)
    return np.cos(np.pi * frequency[:, None] * (2 * place + 1) / (2 * SIDE))
