"""Opens files of users: what cannot be read is refused in words before anything waits for it."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ...regular_file import irregularity
from .errors import CheckpointError


@contextmanager
def open_file(path: Path) -> Generator[BinaryIO, None, None]:
    """A file open for reading. Raises `CheckpointError` for folders, pipes, devices, broken links and failing disks."""
    check_regular(path)
    try:
        with path.open("rb") as opened:
            yield opened
    except OSError as error:
        raise CheckpointError(
            f"{path.name} cannot be read ({error.strerror}); check its permissions and its disk"
        ) from error


def check_regular(path: Path) -> None:
    """Raise `CheckpointError` for anything but a file or a link to one, FileNotFoundError if nothing is there."""
    why = irregularity(path)
    if why:
        raise CheckpointError(f"{path.name} {why}; put the file itself there, or download it again")
