"""What the text encoder made of a prompt, kept by content, so that an unchanged prompt never wakes it again.

A key is a digest of everything the features depend on: the tokens, the encoder's file, types and device. In memory the
features used longest ago make room; on disk, in a folder the caller names, every key has a safetensors file of its own.
Features carry outlier channels that float16 cannot hold: such features, and those with a NaN, are never kept.
"""

import hashlib
import json
import logging
import os
import re
import tempfile
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

LOGGER = logging.getLogger("zimage")
FORMAT = "zimage prompt features 1"  # raise the number when an encoder computes anything else than before
OWN_FILE = re.compile(r"[0-9a-f]{64}\.safetensors")  # nothing else in the folder is read or removed
LEFTOVER = re.compile(r"[0-9a-f]{64}\..*\.part")
LEFTOVER_AGE = 3600  # seconds after which another process cannot still be writing it
SAMPLES, SAMPLE_BYTES = 16, 1 << 16


def feature_key(parts: Mapping[str, str | bytes]) -> str:
    """A name for what `parts` tell apart; two keys are equal only where all names and values are."""
    digest = hashlib.sha256(FORMAT.encode())
    for name, value in sorted(parts.items()):
        for piece in (name.encode(), value.encode() if isinstance(value, str) else value):
            digest.update(len(piece).to_bytes(8, "little") + piece)
    return digest.hexdigest()


def file_identity(files: Iterable[Path]) -> str:
    """Tells weights apart without reading them whole: place, size, time, the head and evenly spread samples."""
    digest = hashlib.sha256()
    for file in sorted(files):
        state = file.stat()
        digest.update(f"{file.resolve()}\0{state.st_size}\0{state.st_mtime_ns}\0".encode())
        with file.open("rb") as opened:
            for index in range(SAMPLES + 1):
                opened.seek(max(0, state.st_size - SAMPLE_BYTES) * index // SAMPLES)
                digest.update(opened.read(SAMPLE_BYTES))
    return digest.hexdigest()


class FeatureStore:
    """Features in memory and, where there is a disk, on it as well."""

    def __init__(self, memory: "InMemory", disk: "OnDisk | None" = None) -> None:
        self.memory, self.disk = memory, disk

    def get(self, key: str) -> dict[str, Tensor] | None:
        """The features of a key, the caller's own copies; None if they have to be computed."""
        found = self.memory.get(key)
        if self.disk is None:
            return found
        if found is None:
            found = self.disk.get(key)
            if found is not None:
                self.memory.put(key, found)
        elif key not in self.disk:  # kept before the disk was allowed
            self.disk.put(key, found)
        return found

    def put(self, key: str, features: Mapping[str, Tensor]) -> None:
        """Keep features, if they are worth keeping."""
        if is_sound(features):
            self.memory.put(key, features)
            if self.disk is not None:
                self.disk.put(key, features)


def is_sound(features: Mapping[str, Tensor]) -> bool:
    """Whether features may be kept: no float16, which outliers overflow, and no trace of such an overflow."""
    return all(tensor.dtype != torch.float16 and bool(torch.isfinite(tensor).all()) for tensor in features.values())


class InMemory:
    """At most `limit` bytes of features in main memory; those used longest ago go first."""

    def __init__(self, limit: int) -> None:
        self.limit, self.size = limit, 0
        self.kept: OrderedDict[str, dict[str, Tensor]] = OrderedDict()

    def get(self, key: str) -> dict[str, Tensor] | None:
        """Copies of the features of a key."""
        if key not in self.kept:
            return None
        self.kept.move_to_end(key)
        return {name: tensor.clone() for name, tensor in self.kept[key].items()}

    def put(self, key: str, features: Mapping[str, Tensor]) -> None:
        """Keep copies of features, whatever device they are on."""
        self.size -= size_of(self.kept.pop(key, {}))
        self.kept[key] = {name: tensor.detach().to("cpu", copy=True) for name, tensor in features.items()}
        self.size += size_of(self.kept[key])
        while self.size > self.limit:
            _, oldest = self.kept.popitem(last=False)
            self.size -= size_of(oldest)


def size_of(features: Mapping[str, Tensor]) -> int:
    """Bytes of the values."""
    return sum(tensor.nbytes for tensor in features.values())


class OnDisk:
    """At most `limit` bytes of features in one folder; the files used longest ago go first.

    Trouble with the disk is never an error: what cannot be read is computed again, what cannot be written is logged.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit = folder, limit

    def __contains__(self, key: str) -> bool:
        return self._file(key).is_file()

    def get(self, key: str) -> dict[str, Tensor] | None:
        """The features of a key; a damaged file is removed, so that it is written anew."""
        file = self._file(key)
        try:
            raw = file.read_bytes()
            features = unpack(raw, key)
            if features is None:
                file.unlink(missing_ok=True)
            else:
                os.utime(file)
        except OSError:
            return None
        return features

    def put(self, key: str, features: Mapping[str, Tensor]) -> None:
        """Write features whole or not at all."""
        raw = pack(features, key)
        if len(raw) > self.limit:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            replace(self._file(key), raw)
            self._make_room()
        except OSError as error:
            LOGGER.warning("Prompt features are not kept on disk: %s", error)

    def _file(self, key: str) -> Path:
        return self.folder / f"{key}.safetensors"

    def _make_room(self) -> None:
        """Remove files of ours, oldest first, until the rest fits; and what a crash left half written."""
        ours: list[tuple[int, int, Path]] = []
        for file in self.folder.iterdir():
            if OWN_FILE.fullmatch(file.name):
                state = file.stat()
                ours.append((state.st_mtime_ns, state.st_size, file))
            elif LEFTOVER.fullmatch(file.name) and time.time() - file.stat().st_mtime > LEFTOVER_AGE:
                file.unlink(missing_ok=True)
        total = sum(size for _, size, _ in ours)
        for _, size, file in sorted(ours):
            if total <= self.limit:
                break
            file.unlink(missing_ok=True)
            total -= size


def replace(file: Path, raw: bytes) -> None:
    """Write a file so that every reader sees the old one or the new one, never a part."""
    with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f"{file.stem}.", suffix=".part", delete=False) as part:
        try:
            part.write(raw)
            part.close()
            Path(part.name).replace(file)
        except OSError:
            part.close()
            Path(part.name).unlink(missing_ok=True)
            raise


def pack(features: Mapping[str, Tensor], key: str) -> bytes:
    """A safetensors file that knows its key and the digest of its values."""
    tensors = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in features.items()}
    return save(tensors, {"key": key, "digest": digest_of(tensors)})


def unpack(raw: bytes, key: str) -> dict[str, Tensor] | None:
    """The features in a file of that key; None if it is damaged or another's."""
    try:
        header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
        features = load(raw)
        if header["__metadata__"] == {"key": key, "digest": digest_of(features)}:
            return features
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError):
        pass
    return None


def digest_of(tensors: Mapping[str, Tensor]) -> str:
    """Changes with any name, type, shape or bit."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
