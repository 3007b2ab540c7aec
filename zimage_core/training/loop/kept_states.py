"""Older states beside the newest one, under names such as state-000200.safetensors.

To go back to one, put it in the place of state.safetensors. Of sharded states only the newest stays.
"""

import os
import shutil
from pathlib import Path

from ...atomic_file import write_atomically
from .state_files import FILE

KEPT = "state-{step:06}.safetensors"


def keep_newest(folder: Path, step: int, keep: int) -> None:
    """Keep `keep` states in all, that of `step`, which was just written, among them."""
    if keep > 1 and (folder / FILE).exists():
        link(folder / FILE, folder / KEPT.format(step=step))
    found = sorted(file for file in folder.glob("state-*.safetensors") if file.stem.removeprefix("state-").isdigit())
    for old in found[: -keep if keep > 1 else None]:
        old.unlink()


def link(file: Path, other: Path) -> None:
    """Give a file a second name; a copy on a file system where it can have but one."""
    other.unlink(missing_ok=True)
    try:
        os.link(file, other)
    except OSError:
        with file.open("rb") as opened:
            write_atomically(other, lambda copy: shutil.copyfileobj(opened, copy))
