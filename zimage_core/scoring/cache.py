"""What was measured once is not measured again: a file of JSON lines, keyed by everything a number depends on."""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from PIL import Image

from .score import Measurement, Request, Score, title


class CachedScore:
    """A score that looks into a file first, and adds to it; the folder has to exist.

    The key is the picture's pixels, the request and the score's title; `setting` tells apart what a title does not, as
    two instructions to one judge. What could not be measured is tried again. Lines that cannot be read are skipped, so
    that a process killed while it writes costs one number; several processes may add to one file.
    """

    def __init__(self, score: Score, file: str | Path, setting: str = "") -> None:
        self.score, self.file = score, Path(file)
        self.name, self.higher_is_better = score.name, score.higher_is_better
        self._setting = setting
        self._known = read(self.file)

    @property
    def reader(self) -> str:
        """That of the score behind."""
        return self.score.reader

    def __call__(self, pictures: Sequence[Image.Image], requests: Sequence[Request]) -> list[Measurement]:
        """Only what is not known yet is given to the score behind, each picture and request once."""
        known_as = [self._key(*each) for each in zip(pictures, requests, strict=True)]
        new = {key: i for i, key in reversed(list(enumerate(known_as))) if key not in self._known}
        chosen = sorted(new.values())
        fresh = self.score([pictures[i] for i in chosen], [requests[i] for i in chosen]) if chosen else []
        found = {known_as[i]: measurement for i, measurement in zip(chosen, fresh, strict=True)}
        self._add({key: each for key, each in found.items() if each.value is not None and math.isfinite(each.value)})
        return [found[key] if key in found else self._known[key] for key in known_as]

    def _add(self, found: dict[str, Measurement]) -> None:
        if not found:
            return
        lines = [json.dumps({"key": key, **asdict(each)}, ensure_ascii=False) for key, each in found.items()]
        with self.file.open("a", encoding="utf-8", newline="\n") as opened:
            opened.write("\n" + "\n".join(lines) + "\n")  # begins a line of its own, whatever was left half written
        self._known |= found

    def _key(self, picture: Image.Image, request: Request) -> str:
        asked = [request.prompt, request.lettering, request.language, request.rules, title(self.score), self._setting]
        digest = hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode())
        digest.update(repr(picture.size).encode() + picture.convert("RGB").tobytes())
        return digest.hexdigest()


def read(file: Path) -> dict[str, Measurement]:
    """What a file holds; nothing where there is none."""
    if not file.is_file():
        return {}
    with file.open(encoding="utf-8", errors="replace") as lines:
        return dict(entry for line in lines if (entry := read_line(line)))


def read_line(line: str) -> tuple[str, Measurement] | None:
    """A key and its measurement; None for a line that was not written whole."""
    try:
        given = json.loads(line)
        key = given.pop("key")
        return key, Measurement(**given)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
