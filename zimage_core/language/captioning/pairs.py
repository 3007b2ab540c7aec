"""Which pictures are edits of one another, by their names, and all ordered pairs of them.

`cat.source.png` and `cat.target.png`, `cat_1.png`, `cat_2.png` and `cat_3.png`, or pictures of one name in two folders.
N edits of one picture give N(N+1) pairs: each edit from the source, its inverse, and edits that mix two (arXiv
2511.22699, section 2.5).
"""

import re
from collections.abc import Iterable
from itertools import permutations
from pathlib import Path
from typing import TypeVar

from .picture_file import natural

T = TypeVar("T")

MEMBER = re.compile(r"(.+?)[._ -](source|before|target[0-9]*|after[0-9]*|edit[0-9]*|[0-9]+)", re.IGNORECASE)


def groups_by_name(files: Iterable[Path]) -> dict[str, list[Path]]:
    """Pictures by the name they share, sources first, numbers in their order; names that stand alone are left out."""
    found: dict[str, list[tuple[tuple[bool, int, str], Path]]] = {}
    for file in files:
        if member := MEMBER.fullmatch(file.stem):
            found.setdefault(member[1], []).append((_rank(member[2].lower()), file))
    return {name: [file for _, file in sorted(each)] for name, each in _in_order(found) if len(each) > 1}


def groups_of_folders(sources: Iterable[Path], targets: Iterable[Path]) -> dict[str, list[Path]]:
    """Pictures of one name in two folders."""
    by_name: dict[str, list[Path]] = {file.stem: [file] for file in sources}
    for file in targets:
        by_name.setdefault(file.stem, []).append(file)
    return {name: files for name, files in _in_order(by_name) if len(files) > 1}


def ordered_pairs(groups: dict[str, list[Path]]) -> list[tuple[Path, Path]]:
    """Every picture of a group with every other, in both directions."""
    return [pair for files in groups.values() for pair in permutations(files, 2)]


def _in_order(groups: dict[str, T]) -> list[tuple[str, T]]:
    return sorted(groups.items(), key=lambda group: natural(group[0]))


def _rank(member: str) -> tuple[bool, int, str]:
    """Where a picture stands in its group."""
    number = int(digits[0]) if (digits := re.search("[0-9]+", member)) else 0
    return member not in ("source", "before"), number, member
