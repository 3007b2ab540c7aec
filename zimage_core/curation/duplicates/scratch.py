"""Vectors and looks of an embedding as arrays on disk, read where they are needed; out of core, for any number."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..embedding.looks import LOOK, Looks
from ..engine.output import row_groups
from .cells import Vectors, as_units


@runtime_checkable
class Pictures(Protocol):
    """What is searched for copies, on disk or in memory."""

    @property
    def quality(self) -> NDArray[np.float64]:
        """Of each, by which the best of a group is found."""
        ...

    @property
    def pixels(self) -> Any:
        """(n) of NumPy's V32: the SHA-256 of each one's pixels."""
        ...

    @property
    def has_vector(self) -> NDArray[np.bool_]:
        """Which could be read."""
        ...

    def vectors(self) -> Vectors:
        """(n c), of length 1."""
        ...

    def looks(self) -> Looks:
        """(n 64 64 3)."""
        ...


@dataclass(frozen=True)
class Scratch:
    """A folder of two arrays, and what of each picture is small enough for memory."""

    folder: Path
    quality: NDArray[np.float64]
    pixels: Any  # (n) of NumPy's V32: the SHA-256 of each
    has_vector: NDArray[np.bool_]

    def vectors(self) -> Vectors:
        """(n c), of length 1, mapped."""
        return np.load(self.folder / "vectors.npy", mmap_mode="r")

    def looks(self) -> Looks:
        """(n 64 64 3), mapped."""
        return np.load(self.folder / "looks.npy", mmap_mode="r")


def fill(embedded: Path, folder: Path, rows: int, length: int) -> Scratch:
    """Copy an embedding's arrays, one row group in memory at a time; pictures that had changed have zeros."""
    folder.mkdir(exist_ok=True)
    check_room(folder, rows * (4 * length + LOOK * LOOK * 3))
    vectors = np.lib.format.open_memmap(folder / "vectors.npy", "w+", np.float32, (rows, length))
    looks = np.lib.format.open_memmap(folder / "looks.npy", "w+", np.uint8, (rows, LOOK, LOOK, 3))
    quality, pixels = np.zeros(rows), np.zeros((rows, 32), np.uint8)
    has_vector, first = np.zeros(rows, dtype=bool), 0
    for table in row_groups(embedded, ["vector", "look", "quality", "pixels"]):
        here = slice(first, first + table.num_rows)
        is_there = np.asarray(table["vector"].is_valid())
        places = np.flatnonzero(is_there) + first
        quality[here], has_vector[here] = np.asarray(table["quality"]), is_there
        if len(places):
            flat = table["vector"].drop_null().combine_chunks().flatten()
            vectors[places] = as_units(np.asarray(flat).reshape(len(places), length))
            looks[places] = as_array(table["look"].drop_null(), LOOK * LOOK * 3).reshape(-1, LOOK, LOOK, 3)
            digests = b"".join(int(each, 16).to_bytes(32, "big") for each in table["pixels"].drop_null().to_pylist())
            pixels[places] = np.frombuffer(digests, np.uint8).reshape(-1, 32)
        first += table.num_rows
    for each in (vectors, looks):
        each.flush()
    return Scratch(folder, quality, pixels.view("V32").ravel(), has_vector)


def check_room(folder: Path, size: int) -> None:
    """Refuse to map files for which the disk has no room: writing into them would kill the process without a word."""
    for left in folder.glob("*.npy"):  # of a run that was stopped
        left.unlink()
    if (free := shutil.disk_usage(folder).free) < size:
        raise ValueError(
            f"{folder.parent} has {free / 1e6:,.1f} MB free, and the search for copies takes {size / 1e6:,.1f} MB: "
            "give --out a folder on a larger disk"
        )


def as_array(column: Any, size: int) -> NDArray[np.uint8]:
    """Binary values of one size (n size)."""
    return np.frombuffer(b"".join(column.to_pylist()), np.uint8).reshape(-1, size)
