"""Safetensors on disk: one file, shards with an index, or a folder of either. Nothing else is ever opened.

Tensors come memory-mapped, so reading a 12 GB file costs no memory until its values are used.
"""

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

HEADER_LIMIT = 100_000_000  # bytes; safetensors' own limit


class CheckpointError(ValueError):
    """A file that cannot be used. The message says what is wrong, what was found and what to do."""


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file, of an `*.index.json` with its shards, or of a folder holding one of them."""
    tensors: dict[str, Tensor] = {}
    for file in tensor_files(Path(path)):
        check_complete(file)
        try:
            with safe_open(file, framework="pt") as opened:
                tensors.update({key: opened.get_tensor(key) for key in opened.keys()})  # noqa: SIM118 - not a mapping
        except SafetensorError as error:
            raise CheckpointError(
                f"{file.name} is not a readable safetensors file ({error}); download it again"
            ) from error
    return tensors


def tensor_files(path: Path) -> list[Path]:
    """The safetensors files behind a path."""
    if path.is_dir():
        return _files_of_folder(path)
    if not path.exists():
        raise FileNotFoundError(f"no file at {path}; check the name, or put the file there")
    if path.name.endswith(".index.json"):
        return _shards(path)
    if path.suffix not in (".safetensors", ".sft"):
        raise CheckpointError(
            f"{path.name} is not a safetensors file; other formats are not read, pickles never: use a .safetensors"
        )
    return [path]


def check_complete(file: Path) -> None:
    """Refuse a file whose size does not match its own header, which is what an interrupted download leaves."""
    found = file.stat().st_size
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if found < 8 or length > min(found - 8, HEADER_LIMIT):
            raise CheckpointError(
                f"{file.name} is not a safetensors file, or its download stopped early: {found} bytes were found; "
                "download it again"
            )
        header = opened.read(length)
    try:
        ends = [entry["data_offsets"][1] for key, entry in json.loads(header).items() if key != "__metadata__"]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise CheckpointError(f"{file.name} has a damaged safetensors header; download it again") from error
    expected = 8 + length + max(ends, default=0)
    if found < expected:
        raise CheckpointError(
            f"{file.name} is incomplete: {found:,} of {expected:,} bytes are there; download it again"
        )


def _files_of_folder(folder: Path) -> list[Path]:
    indexes = sorted(folder.glob("*.safetensors.index.json"))
    if indexes:
        return _shards(indexes[0])
    files = sorted(folder.glob("*.safetensors"))
    if len(files) == 1:
        return files
    found = ", ".join(file.name for file in files) or "none"
    raise CheckpointError(f"{folder} should hold one .safetensors file or an index of shards; found {found}")


def _shards(index: Path) -> list[Path]:
    try:
        names = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{index.name} is not an index of safetensors shards; download it again") from error
    shards = [index.parent / Path(name).name for name in names]
    missing = [shard.name for shard in shards if not shard.exists()]
    if missing:
        raise CheckpointError(
            f"{index.name} names {len(names)} shards but {', '.join(missing)} is not beside it; download it too"
        )
    return shards
