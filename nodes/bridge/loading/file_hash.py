"""The short SHA-256 of model files by which sites find them: AutoV2, the first ten hex digits.

Reading 12 GB takes many seconds, so a file is hashed once in a server's life, and again only if its size or time
changes. The node shows how far it is, and stopping the run stops it.
"""

import hashlib
from functools import cache
from pathlib import Path

from comfy.model_management import throw_exception_if_processing_interrupted
from comfy.utils import ProgressBar

from .files import file_state

DIGITS = 10
CHUNK = 16 * 2**20  # bytes read between two looks at the stop button


def short_hash(path: str) -> str:
    """The first ten hex digits of a file's SHA-256. Raises OSError if it cannot be read, as a folder cannot."""
    return _sha256(Path(path), file_state(path))[:DIGITS]


@cache
def _sha256(path: Path, state: str) -> str:
    """All hex digits, read again only when the file's `state` changes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        bar = ProgressBar(path.stat().st_size)
        while chunk := file.read(CHUNK):
            throw_exception_if_processing_interrupted()
            digest.update(chunk)
            bar.update(len(chunk))
    return digest.hexdigest()
