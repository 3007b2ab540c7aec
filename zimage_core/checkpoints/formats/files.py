"""Tensors of files on disk: safetensors, their shards with or without an index, GGUF, or a folder of either.

Tensors are memory-mapped, so opening a 12 GB file needs no memory until its values are used. Pickles are never read.
"""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from .errors import CheckpointError, one_line
from .gguf import read_gguf
from .gguf_header import read_gguf_header
from .header import Header
from .json_object import parse_json
from .open_file import check_regular, open_file
from .packed import StoredTensor
from .safetensors_header import read_header

SAFETENSORS, GGUF = (".safetensors", ".sft"), ".gguf"
INDEX = ".index.json"
INDEX_LIMIT = 100_000_000  # bytes
SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<total>\d{5})\.safetensors")

Read = Callable[[Path], Mapping[str, Tensor]]  # reads one safetensors file; ComfyUI has its own


def read_tensors(path: str | Path) -> dict[str, StoredTensor]:
    """All tensors of a file, of an `*.index.json` with its shards, or of a folder holding one of them."""
    return read_files(headers_of(Path(path)), read_safetensors)


def headers_of(path: Path) -> dict[Path, Header]:
    """The headers of the files behind a path, each valid. Files may still be shorter than their headers say."""
    headers = {file: header_of(file) for file in tensor_files(path)}
    file_of_key: dict[str, str] = {}
    for header in headers.values():
        for key in header.tensors:
            if key in file_of_key:
                raise CheckpointError(
                    f"{header.file} and {file_of_key[key]} both hold {key[:80]}, so they are not shards of one model; "
                    "download them again"
                )
            file_of_key[key] = header.file
    return headers


def header_of(file: Path) -> Header:
    """The header of one file."""
    return read_gguf_header(file) if file.suffix.lower() == GGUF else read_header(file)


def read_files(headers: Mapping[Path, Header], read: Read) -> dict[str, StoredTensor]:
    """The tensors of files with these headers. Raises `CheckpointError` for incomplete files before reading any."""
    tensors: dict[str, StoredTensor] = {}
    for header in headers.values():
        header.check_complete()
    for file in headers:
        tensors.update(read_gguf(file) if file.suffix.lower() == GGUF else read(file))
    return tensors


def read_safetensors(file: Path) -> dict[str, Tensor]:
    """The tensors of one safetensors file, memory-mapped."""
    try:
        with safe_open(file, framework="pt") as opened:
            return {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, ValueError, TypeError, RuntimeError) as error:  # types this torch does not know
        raise CheckpointError(
            f"{file.name} is not a readable safetensors file ({one_line(error)}); download it again"
        ) from error


def tensor_files(path: Path) -> list[Path]:
    """The files behind a path: itself, or all shards when it is one of them, their index or their folder."""
    if not os.path.lexists(path):
        raise FileNotFoundError(f"no file at {path}; check the name, or put the file there")
    if os.path.isdir(path):  # noqa: PTH112 - unlike Path.is_dir, False where a link cannot be followed
        return _files_of_folder(path)
    check_regular(path)
    if path.name.endswith(INDEX):
        return _shards(path)
    if path.suffix.lower() not in (*SAFETENSORS, GGUF):
        raise CheckpointError(
            f"{path.name} is not a safetensors file or a GGUF; other formats are not read, pickles never: "
            "use a .safetensors"
        )
    shard = SHARD.fullmatch(path.name)
    return _shards_of_same_model(path, shard) if shard else [path]


def _files_of_folder(folder: Path) -> list[Path]:
    indexes = sorted(folder.glob("*.safetensors" + INDEX))
    if indexes:
        return _shards(indexes[0])
    files = sorted(file for ending in (*SAFETENSORS, GGUF) for file in folder.glob("*" + ending))
    if len(files) == 1:
        check_regular(files[0])
        return tensor_files(files[0])
    names = ", ".join(file.name for file in files[:5]) or "none"
    raise CheckpointError(f"{folder.name} should hold one .safetensors file or an index of shards; found {names}")


def _shards_of_same_model(path: Path, shard: re.Match[str]) -> list[Path]:
    """All shards of one shard's model, by the index in its folder or by their numbers."""
    index = path.with_name(f"{shard['stem']}.safetensors{INDEX}")
    if index.exists():
        return _shards(index)
    total = int(shard["total"])
    names = [f"{shard['stem']}-{number:05}-of-{total:05}.safetensors" for number in range(1, total + 1)]
    return _existing(path.parent, names, path.name) if path.name in names else [path]


def _shards(index: Path) -> list[Path]:
    """The files an index of shards names, in order."""
    complaint = f"{index.name} is not an index of safetensors shards"
    with open_file(index) as opened:
        raw = opened.read(INDEX_LIMIT + 1)
    if len(raw) > INDEX_LIMIT:
        raise CheckpointError(f"{complaint} (it is larger than any); download it again")
    weight_map = parse_json(raw, complaint).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{complaint} (its weight_map is missing or empty); download it again")
    for name in weight_map.values():
        if not isinstance(name, str) or not name.isprintable() or not name.endswith(SAFETENSORS):
            raise CheckpointError(f"{complaint} (it names {ascii(name)[:80]}); download it again")
    # folders in a name are dropped: shards are in the folder of their index
    return _existing(index.parent, sorted({re.split(r"[\\/]", name)[-1] for name in weight_map.values()}), index.name)


def _existing(folder: Path, names: list[str], named_by: str) -> list[Path]:
    try:
        existing = {file.name for file in folder.iterdir()}
    except OSError as error:
        raise CheckpointError(
            f"the folder {folder.name} cannot be read ({error.strerror}); check its permissions"
        ) from error
    missing = [name for name in names if name not in existing]
    if missing:
        named = ", ".join(name[:80] for name in missing[:3]) + (", …" if len(missing) > 3 else "")
        raise CheckpointError(
            f"{named_by} tells of {len(names)} shards but {named} is not beside it; download what is missing too"
        )
    return [folder / name for name in names]
