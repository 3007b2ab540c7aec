"""A cache of prompt embeddings, so that the text encoder is neither loaded nor run for a prompt it has seen before.

The key is a digest of everything the embeddings depend on: the tokens, the encoder's file, dtypes and device. The
cache in RAM evicts the least recently used entry; on disk, in a folder of the caller's, every entry is a safetensors
file. Embeddings have outlier channels beyond the range of float16, so float16 tensors and those with an inf or NaN are
never cached.
"""

import hashlib
import json
import logging
import os
import re
import stat
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ..atomic_file import write_atomically

LOGGER = logging.getLogger("zimage")
FORMAT = "zimage prompt features 1"  # raise the number when an encoder computes other values than before
ENTRY_FILE = re.compile(r"[0-9a-f]{64}\.safetensors")  # no other file in the folder is read or removed
SAMPLES, SAMPLE_BYTES = 16, 1 << 16  # read of every weight file for its identity

Embeddings = Mapping[str, Tensor]  # one cache entry


def cache_key(parts: Mapping[str, str | bytes]) -> str:
    """The SHA-256 of `parts`; keys are equal only where all names and values are."""
    digest = hashlib.sha256(FORMAT.encode())
    for name, value in sorted(parts.items()):
        for piece in (name.encode(), value.encode() if isinstance(value, str) else value):
            digest.update(len(piece).to_bytes(8, "little") + piece)
    return digest.hexdigest()


def file_identity(files: Iterable[Path]) -> str:
    """A digest of path, size, modification time and evenly spread samples, so that weight files are not read whole."""
    digest = hashlib.sha256()
    for file in sorted(files):
        state = file.stat()
        digest.update(f"{file.resolve()}\0{state.st_size}\0{state.st_mtime_ns}\0".encode())
        with file.open("rb") as opened:
            for index in range(SAMPLES + 1):
                opened.seek(max(0, state.st_size - SAMPLE_BYTES) * index // SAMPLES)
                digest.update(opened.read(SAMPLE_BYTES))
    return digest.hexdigest()


class PromptCache:
    """Embeddings in RAM and, where a disk cache is given, on disk as well."""

    def __init__(self, memory: "MemoryCache", disk: "DiskCache | None" = None) -> None:
        self.memory, self.disk = memory, disk

    def get(self, key: str) -> dict[str, Tensor] | None:
        """Copies of the embeddings of a key; None if they are not cached."""
        cached = self.memory.get(key)
        if self.disk is None:
            return cached
        if cached is None:
            cached = self.disk.get(key)
            if cached is not None:
                self.memory.put(key, cached)
        elif key not in self.disk:  # cached before a disk cache was used
            self.disk.put(key, cached)
        return cached

    def put(self, key: str, embeddings: Embeddings) -> None:
        """Cache embeddings, unless they overflowed or could have."""
        if is_cacheable(embeddings):
            self.memory.put(key, embeddings)
            if self.disk is not None:
                self.disk.put(key, embeddings)


def is_cacheable(embeddings: Embeddings) -> bool:
    """Whether no tensor is float16, which outliers overflow, and all values are finite."""
    return all(tensor.dtype != torch.float16 and bool(torch.isfinite(tensor).all()) for tensor in embeddings.values())


class MemoryCache:
    """At most `limit` bytes of embeddings in RAM; the least recently used are evicted first."""

    def __init__(self, limit: int) -> None:
        self.limit, self.nbytes = limit, 0
        self.entries: OrderedDict[str, dict[str, Tensor]] = OrderedDict()

    def get(self, key: str) -> dict[str, Tensor] | None:
        """Copies of the embeddings of a key."""
        if key not in self.entries:
            return None
        self.entries.move_to_end(key)
        return {name: tensor.clone() for name, tensor in self.entries[key].items()}

    def put(self, key: str, embeddings: Embeddings) -> None:
        """Cache copies in RAM of embeddings on any device."""
        self.nbytes -= nbytes_of(self.entries.pop(key, {}))
        self.entries[key] = {name: tensor.detach().to("cpu", copy=True) for name, tensor in embeddings.items()}
        self.nbytes += nbytes_of(self.entries[key])
        while self.nbytes > self.limit:
            _, evicted = self.entries.popitem(last=False)
            self.nbytes -= nbytes_of(evicted)


def nbytes_of(embeddings: Embeddings) -> int:
    """Bytes of all tensors."""
    return sum(tensor.nbytes for tensor in embeddings.values())


class DiskCache:
    """At most `limit` bytes of embeddings in one folder; the least recently used files are removed first.

    A failing disk never raises: what cannot be read counts as a miss, what cannot be written is logged.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit = folder, limit

    def __contains__(self, key: str) -> bool:
        return self._file(key).is_file()

    def get(self, key: str) -> dict[str, Tensor] | None:
        """The embeddings of a key; a damaged file is removed, so that it is written again."""
        file = self._file(key)
        try:
            if not file.is_file():  # missing, or a pipe that would be read for ever
                return None
            raw = file.read_bytes()
            embeddings = deserialize(raw, key)
            if embeddings is None:
                file.unlink(missing_ok=True)
            else:
                os.utime(file)
        except OSError:
            return None
        return embeddings

    def put(self, key: str, embeddings: Embeddings) -> None:
        """Write a file atomically; more than `limit` bytes are not cached."""
        raw = serialize(embeddings, key)
        if len(raw) > self.limit:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if self._make_room(len(raw)):
                write_atomically(self._file(key), lambda file: file.write(raw))
        except OSError as error:
            LOGGER.warning("Prompt features are not kept on disk: %s", error)

    def _file(self, key: str) -> Path:
        return self.folder / f"{key}.safetensors"

    def _make_room(self, nbytes: int) -> bool:
        """Remove entries, least recently used first, until `nbytes` more fit; whether they do."""
        entries, stuck = self._entries()
        total = nbytes + sum(size for _, size, _ in entries)
        for _, size, file in sorted(entries):
            if total <= self.limit:
                break
            try:
                file.unlink(missing_ok=True)
                total -= size
            except OSError:  # the others make room instead
                stuck.append(file)
        if stuck:
            warn_once(f"The cache of prompt features in {self.folder} cannot remove {stuck[0].name}; remove it by hand")
        if total > self.limit:
            warn_once(f"Prompt features are not kept on disk: nothing in {self.folder} can be removed to make room")
        return total <= self.limit

    def _entries(self) -> tuple[list[tuple[int, int, Path]], list[Path]]:
        """Time of the last use, size and path of every entry, and what has the name of one but is no file."""
        entries: list[tuple[int, int, Path]] = []
        others: list[Path] = []
        for file in self.folder.iterdir():
            if not ENTRY_FILE.fullmatch(file.name):
                continue
            with suppress(FileNotFoundError):  # another process removed it
                state = file.lstat()
                if stat.S_ISREG(state.st_mode):
                    entries.append((state.st_mtime_ns, state.st_size, file))
                else:
                    others.append(file)
        return entries, others


@cache
def warn_once(message: str) -> None:
    """Log a warning the first time it is given in this process."""
    LOGGER.warning("%s", message)


def serialize(embeddings: Embeddings, key: str) -> bytes:
    """Bytes of a safetensors file whose metadata holds the key and the digest of the tensors."""
    tensors = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in embeddings.items()}
    return save(tensors, {"key": key, "digest": digest_of(tensors)})


def deserialize(raw: bytes, key: str) -> dict[str, Tensor] | None:
    """The embeddings in a file of that key; None if it is damaged or of another key."""
    try:
        header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
        embeddings = load(raw)
        if header["__metadata__"] == {"key": key, "digest": digest_of(embeddings)}:
            return embeddings
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError):
        pass
    return None


def digest_of(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over all names, dtypes, shapes and bytes."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
