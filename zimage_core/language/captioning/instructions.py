"""Which instruction files a kind of caption takes: one, or three for a difference."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from ..instructions import Instruction, find_instructions, read_instruction

DIFFERENCE = "difference"
FOLDER = "caption"  # of the files, among our templates and in a user's folder
STEPS = ("medium", "compare", "instruct")  # of a difference: caption both, compare, write the instruction


@dataclass(frozen=True)
class Instructions:
    """The files of one kind, in the order of its steps."""

    files: tuple[Instruction, ...]

    @property
    def name(self) -> str:
        """Their names and versions, as a record has them."""
        return ", ".join(f"{each.name} {each.version}" for each in self.files)

    @property
    def digest(self) -> str:
        """Changes with every word of them."""
        return hashlib.sha256(json.dumps([asdict(each) for each in self.files]).encode()).hexdigest()[:16]


def read_instructions(kind: str, language: str, folders: Iterable[Path] = (), own: Path | None = None) -> Instructions:
    """The files of a kind in a language, the user's folders before ours; `own` takes the place of the last step's.

    Raises `ValueError` with a sentence about a file that cannot be read.
    """
    found = find_instructions(FOLDER, folders)
    steps = STEPS if kind == DIFFERENCE else (kind,)
    files = [found[f"{step}.{language}"] for step in steps]
    return Instructions(tuple(map(read_instruction, [*files[:-1], own or files[-1]])))
