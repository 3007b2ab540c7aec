"""A list of LoRAs as text, one a line, so that it can be read, shared and edited without a page's help.

    pixel art.safetensors : 0.8
    # people/portrait.safetensors : 0.5

    style.safetensors : 0.3>1 @ 0-0.5 blocks 0-9=0.5

A line is a file name, or that, a colon and a strength (`row_strength.py` has all its forms); 1 where none is given. One
that begins with # is off, and empty lines are ignored. The order of the lines is that of application.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from .row_strength import Strength, parse_strength

OFF = "#"
# The last colon divides, as names may hold colons; a Chinese one only after a file's ending.
DIVIDED = re.compile(r"(?P<name>.*)(?::|(?:(?<=\.safetensors)|(?<=\.safetensors ))\uff1a)(?P<strength>.*)")
TAG = re.compile(r"<lora:(?P<name>[^:>]*).*>")  # of A1111, in a prompt
LIKENESS = 0.4  # of a name to one that is offered in its place, from 0 to 1


@dataclass(frozen=True)
class Row:
    """A line that is on."""

    line: int  # its number, from 1
    name: str  # of a file below models/loras, with "/" between folders
    strength: Strength


def parse_rows(text: str) -> list[Row]:
    """The lines that are on, in order. Raises `ValueError` with one sentence for a line that cannot be read."""
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    return [_row(number, line) for number, line in lines if line and not line.startswith(OFF)]


def choose(row: Row, names: Sequence[str]) -> str:
    """The one among `names` that a row means, with either slash. Raises `ValueError` that offers the nearest ones."""
    found, near = looked_up(row, names)
    if found is not None:
        return found
    if near:
        raise ValueError(
            f"Line {row.line}: there is no LoRA {row.name} in models/loras. The nearest names are {', '.join(near)}; "
            "write one of them, or put # before the line."
        )
    raise ValueError(
        f"Line {row.line}: there is no LoRA {row.name} in models/loras, nor one of a similar name. "
        "Put the file there, or put # before the line."
    )


def looked_up(row: Row, names: Sequence[str]) -> tuple[str | None, list[str]]:
    """The one among `names` that a row means, with either slash; and where there is none, the nearest ones."""
    by_name = {_with_slashes(name): name for name in names}
    if row.name in by_name:
        return by_name[row.name], []
    return None, get_close_matches(row.name, by_name, n=3, cutoff=LIKENESS)


def _row(number: int, line: str) -> Row:
    """A line's file and strength."""
    if tag := TAG.fullmatch(line):
        raise ValueError(
            f"Line {number}: {line} is how other programs write a LoRA in a prompt. Here it is a file, a colon and a "
            f"strength: {tag['name']}.safetensors : 0.8"
        )
    divided = DIVIDED.fullmatch(line)
    if divided is None:
        return Row(number, _with_slashes(line), Strength(1.0, 1.0))
    name, written = divided["name"], divided["strength"]
    if not name.strip():
        raise ValueError(f"Line {number}: no file name stands before the colon. Write it as: style.safetensors : 0.8")
    return Row(number, _with_slashes(name.strip()), parse_strength(number, written))


def _with_slashes(name: str) -> str:
    """A name with "/" between folders, as it is also shared with other systems."""
    return name.replace("\\", "/")
