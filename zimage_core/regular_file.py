"""Paths that have a file's name but are no file: opening some of them fails, opening a pipe waits for ever."""

import errno
import stat
from pathlib import Path

KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def irregularity(path: Path) -> str | None:
    """Why a path cannot be read as a file, to follow its name in a sentence; None for a file or a link to one.

    Raises FileNotFoundError if nothing has this name.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        path.lstat()
        return "is a link to something that is not there"
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "is a link that leads back to itself"
        return f"cannot be read ({error.strerror})"
    return next((f"is {name}, not a file" for has_kind, name in KINDS if has_kind(mode)), None)
