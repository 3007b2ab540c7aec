"""Enhanced prompts on disk by what they were made from, so that a queue of the same graph asks a model once."""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from PIL import Image

from ..atomic_file import write_text
from .instructions import Instruction
from .wish import Enhanced, Wish

MAX_FILES = 2000  # about a kilobyte each; the oldest go first


def cache_key(
    request: str, back_end: str, instruction: Instruction, wish: Wish, pictures: Sequence[Image.Image] = ()
) -> str:
    """A name for everything that decides the words."""
    seen = [[each.size, hashlib.sha256(each.tobytes()).hexdigest()] for each in pictures]
    made_from = [request, back_end, asdict(instruction), asdict(wish), seen]
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


class ReplyCache:
    """A folder of small JSON files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str) -> Enhanced | None:
        """What was written for a key; None where there is nothing that can be read."""
        try:
            found = json.loads((self._folder / f"{key}.json").read_text("utf-8"))
            return Enhanced(**found)
        except (OSError, ValueError, TypeError):
            return None

    def put(self, key: str, enhanced: Enhanced) -> None:
        """Keep a text; one that failed is not kept, so that the next run asks again."""
        if enhanced.problem:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        write_text(self._folder / f"{key}.json", json.dumps(asdict(enhanced), ensure_ascii=False))
        self._trim()

    def _trim(self) -> None:
        files = sorted(self._folder.glob("*.json"), key=lambda file: file.stat().st_mtime)
        for file in files[: max(0, len(files) - MAX_FILES)]:
            with suppress(OSError):
                file.unlink()
