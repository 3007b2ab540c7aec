"""The files of a saved state: one, or one per process where weights are sharded, each with the rows that process holds.

Files of several processes carry the step in their names, so that a set is complete or not there, and are read by any
number of processes: rows are put together from whichever files hold them.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from ...atomic_file import save_tensors
from ..distributed.processes import Processes

FILE = "state.safetensors"
SHARD = re.compile(r"state-(?P<step>\d+)-\d+-of-(?P<count>\d+)\.safetensors")


def write_files(folder: Path, step: int, tensors: Mapping[str, Tensor], recipe: str, processes: Processes) -> None:
    """Write what this process holds; what was saved before goes once all processes have written theirs."""
    rows = {name: processes.rows(tensor) for name, tensor in tensors.items()}
    places = {name: (each.start, each.stop) for name, each in rows.items() if each is not None}
    file = folder / (f"state-{step:08d}-{processes.rank}-of-{processes.count}.safetensors" if places else FILE)
    if places or processes.is_first:
        held = {name: tensor for name, tensor in tensors.items() if processes.is_first or name in places}
        local = {name: processes.local(tensor) for name, tensor in held.items()}
        save_tensors(file, local, {"step": str(step), "recipe": recipe, "rows": json.dumps(places)})
    processes.wait()
    if processes.is_first:
        for old in (each for each in _state_files(folder) if _set_of(each) != _set_of(file)):
            old.unlink()
    processes.wait()


class SavedState:
    """Open files of one state, with names of tensors as they were given to `write_files`."""

    def __init__(self, files: Iterable[Path]) -> None:
        self.files = [safe_open(file, framework="pt") for file in files]
        self.metadata: dict[str, str] = self.files[0].metadata()
        self.pieces: defaultdict[str, list[tuple[int, Any]]] = defaultdict(list)  # first row and file, in order
        for file in self.files:
            places = json.loads(file.metadata().get("rows", "{}"))
            for name in file.keys():  # noqa: SIM118 - no mapping
                self.pieces[name].append((places.get(name, (0,))[0], file))

    def shape(self, name: str) -> torch.Size:
        """Of the whole tensor."""
        shapes = [file.get_slice(name).get_shape() for _, file in self.pieces[name]]
        return torch.Size([sum(first for first, *_ in shapes), *shapes[0][1:]] if shapes[0] else [])

    def tensor(self, name: str, rows: slice | None) -> Tensor:
        """Some rows of a tensor; the whole one where `rows` is None."""
        parts: list[Tensor] = []
        for first, file in self.pieces[name]:
            if rows is None:
                parts.append(file.get_tensor(name))
                continue
            opened = file.get_slice(name)
            start, stop = max(0, rows.start - first), min(opened.get_shape()[0], rows.stop - first)
            if start < stop:
                parts.append(opened[start:stop])
        if len(parts) == 1:
            return parts[0]
        return torch.cat(parts) if parts else self.pieces[name][0][1].get_tensor(name)[:0]


def open_newest(folder: Path) -> SavedState | None:
    """The state of the most steps of which all files are there."""
    sets: defaultdict[tuple[int, int], list[Path]] = defaultdict(list)
    for file in _state_files(folder):
        sets[_set_of(file)].append(file)
    complete = [SavedState(sorted(files, key=_rank)) for (_, count), files in sets.items() if len(files) == count]
    return max(complete, key=lambda state: int(state.metadata["step"]), default=None)


def _state_files(folder: Path) -> list[Path]:
    return [file for file in folder.glob("state*.safetensors") if file.name == FILE or SHARD.fullmatch(file.name)]


def _set_of(file: Path) -> tuple[int, int]:
    """Step and number of files of the set that a file belongs to; the single file's step is in its metadata."""
    found = SHARD.fullmatch(file.name)
    return (int(found["step"]), int(found["count"])) if found else (-1, 1)


def _rank(file: Path) -> int:
    return int(file.name.split("-")[2]) if SHARD.fullmatch(file.name) else 0
