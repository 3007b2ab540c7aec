"""The short SHA-256 of model files by which sites find them: AutoV2, the first ten hex digits.

Reading 12 GB takes many seconds, so a file is hashed once in a server's life, and again only if its size or time
changes. The node shows how far it is, and stopping the run stops it.
"""

import hashlib
from pathlib import Path

from comfy.model_management import throw_exception_if_processing_interrupted
from comfy.utils import ProgressBar

from .files import file_state

DIGITS = 10
CHUNK = 16 * 2**20  # bytes read between two looks at the stop button
_known: dict[str, tuple[str, str]] = {}  # path -> (its time and size, digits)


def short_hash(path: str) -> str:
    """The first ten hex digits of a file's SHA-256. Raises OSError if it cannot be read, as a folder cannot."""
    state = file_state(path)
    known_state, digits = _known.get(path, ("", ""))
    if state != known_state:
        digits = _sha256(Path(path))[:DIGITS]
        _known[path] = state, digits
    return digits


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        bar = ProgressBar(path.stat().st_size)
        while chunk := file.read(CHUNK):
            throw_exception_if_processing_interrupted()
            digest.update(chunk)
            bar.update(len(chunk))
    return digest.hexdigest()
