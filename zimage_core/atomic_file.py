"""The one way a file is written: under another name beside its place, flushed to disk, then moved there.

Whatever stops the process, the file's name holds what it held before or everything new. What a killed process leaves
behind has a name that only this module gives, and is removed by the next write into the same folder.
"""

import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from torch import Tensor

    from .tensor_bytes import Slot

try:
    import fcntl
except ImportError:  # Windows, where a file that is open cannot be removed, so that no lock is needed
    fcntl = None

PART = re.compile(r"\.zimage-[0-9a-f]{16}\.part")  # hidden, and short: the file's own name may be as long as allowed
UNLOCKED_AGE = 3600  # seconds after which a part on a file system without locks counts as abandoned


def write_atomically(file: Path, write: Callable[[BinaryIO], object]) -> None:
    """Give `write` an empty file, which replaces `file` once it is complete; its folder has to exist.

    On any exception, an interrupt included, `file` stays as it was and nothing else is left in the folder.
    """
    remove_leftovers(file.parent)
    part, opened = _new_part(file.parent)
    try:
        with opened:
            write(opened)
            opened.flush()
            os.fsync(opened.fileno())
            if fcntl is not None:  # moved while still locked, so that no other process takes it for a leftover
                part.replace(file)
        if fcntl is None:  # Windows moves no open file
            part.replace(file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def save_tensors(file: Path, tensors: "Mapping[str, Tensor]", metadata: Mapping[str, str] | None = None) -> None:
    """Write a safetensors file, tensor by tensor.

    The library's own `save_file` is atomic in some of its versions only, and its `save` makes all of a file in memory.
    """
    from .tensor_bytes import Slot

    slots = {name: Slot(tensor.dtype, tuple(tensor.shape)) for name, tensor in tensors.items()}
    write_tensors(file, slots, tensors.__getitem__, metadata)


def write_tensors(
    file: Path,
    slots: "Mapping[str, Slot]",
    tensor_of: "Callable[[str], Tensor]",
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a safetensors file of tensors that are made as they are written, each asked for once by its name."""
    from .tensor_bytes import tensor_bytes

    write_atomically(file, lambda opened: opened.writelines(tensor_bytes(slots, tensor_of, metadata)))


def write_text(file: Path, text: str) -> None:
    """Write a text as UTF-8, complete or not at all."""
    write_atomically(file, lambda opened: opened.write(text.encode()))


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes left half written in a folder; other processes' unfinished files stay."""
    with suppress(OSError):
        for part in [Path(entry.path) for entry in os.scandir(folder) if PART.fullmatch(entry.name)]:
            with suppress(OSError):
                if stat.S_ISREG(part.lstat().st_mode):
                    _remove_if_abandoned(part)


def _new_part(folder: Path) -> tuple[Path, BinaryIO]:
    """A new file, open and locked as long as it is open."""
    while True:
        part = folder / f".zimage-{secrets.token_hex(8)}.part"
        opened = part.open("xb")
        if fcntl is None:
            return part, opened
        with suppress(OSError):  # a file system without locks
            fcntl.flock(opened, fcntl.LOCK_EX)
        if os.fstat(opened.fileno()).st_nlink:
            return part, opened
        opened.close()  # taken for a leftover and removed before it was locked


def _remove_if_abandoned(part: Path) -> None:
    """Remove an unfinished file that no process writes any more. Raises OSError where one does."""
    if fcntl is None:
        part.unlink()  # fails where it is open
        return
    with part.open("rb") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        except OSError:  # a file system without locks
            if time.time() - part.lstat().st_mtime < UNLOCKED_AGE:
                return
        part.unlink()
