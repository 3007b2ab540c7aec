"""Datasets in parts, each a folder with repeats of its own, as kohya's trainers and those after them describe them.

In a TOML file a part is a table of `datasets`, or of the `subsets` in one: `image_dir` (`image_directory`),
`caption_extension`, `num_repeats`, `is_reg` for pictures of what must not change, `class_tokens` for the caption of
pictures without one, and `control_directory` for the sources of edits. What else such a file says is about training,
and not read here. Without one, folders named `10_fox` stand for themselves: ten times, with the caption fox.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

from ..toml_file import read_toml
from .edit_pairs import holds_pairs, read_pair_folders, read_pairs
from .example import Example, ExamplesByPlace, ReadDataset
from .picture_files import file_names, is_picture_name
from .picture_folder import TEXT_ENDING, read_picture_folder

NUMBERED = re.compile(r"(\d+)_(.+)")
FOLDER_KEYS = ("image_dir", "image_directory")


@dataclass(frozen=True, kw_only=True)
class Subset:
    """A folder as a part of a dataset."""

    folder: Path
    repeats: int = 1
    caption: str = ""  # of pictures without one
    text_ending: str = TEXT_ENDING
    is_regularization: bool = False
    sources: Path | None = None  # of edits, whose targets are in the folder

    def read(self, caption: str) -> Sequence[Example]:
        """Its examples; `caption` is used where it has none of its own."""
        caption = self.caption or caption
        if self.sources:
            return read_pair_folders([self.sources], self.folder, caption)
        if self.folder.is_dir() and holds_pairs(self.folder):
            return read_pairs(self.folder, caption)
        return read_picture_folder(self.folder, caption, text_ending=self.text_ending)


class Joined(ExamplesByPlace):
    """Examples of several parts, each with its repeats."""

    def __init__(self, parts: Sequence[tuple[Sequence[Example], int]]) -> None:
        self._parts = parts
        self._ends = list(accumulate(len(examples) for examples, _ in parts))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def at(self, place: int) -> Example:
        part = bisect_right(self._ends, place)
        examples, repeats = self._parts[part]
        example = examples[place - self._ends[part] + len(examples)]
        return replace(example, repeats=repeats * example.repeats)


def joined(subsets: Sequence[Subset], caption: str) -> ReadDataset:
    """All parts, those for regularization by themselves."""
    parts: dict[bool, list[tuple[Sequence[Example], int]]] = {False: [], True: []}
    for each in subsets:
        parts[each.is_regularization].append((each.read(caption), each.repeats))
    if not parts[False]:
        raise ValueError("every part of this dataset is for regularization (is_reg); name one that is to be learned")
    return ReadDataset(Joined(parts[False]), Joined(parts[True]))


def numbered_folders(folder: Path) -> list[Subset]:
    """Folders named with repeats and a caption, in a folder without pictures of its own."""
    if any(map(is_picture_name, file_names(folder))):
        return []
    found = ((each, NUMBERED.fullmatch(each.name)) for each in sorted(folder.iterdir()) if each.is_dir())
    return [Subset(folder=each, repeats=int(name[1]), caption=name[2]) for each, name in found if name and int(name[1])]


def subsets_in(file: Path) -> list[Subset]:
    """The parts that a TOML file describes; its paths begin at its folder. Raises ValueError with one sentence."""
    tables = _tables(read_toml(file))
    subsets = [_subset(table, file) for table in tables if any(key in table for key in FOLDER_KEYS)]
    if not subsets:
        raise ValueError(f"{file} names no folder of pictures: each part of its datasets needs an image_dir")
    return subsets


def _tables(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Parts with what the file says of all and of their dataset."""
    for dataset in found.get("datasets", []):
        shared = {**found.get("general", {}), **{key: dataset[key] for key in dataset if key != "subsets"}}
        yield from ({**shared, **subset} for subset in dataset.get("subsets", [{}]))


def _subset(table: Mapping[str, Any], file: Path) -> Subset:
    folder = next(table[key] for key in FOLDER_KEYS if key in table)
    sources, repeats = table.get("control_directory"), table.get("num_repeats", 1)
    if not isinstance(folder, str) or not isinstance(repeats, int) or repeats < 1:
        raise ValueError(f"{file} needs a folder's path as image_dir and a whole number from 1 on as num_repeats")
    return Subset(
        folder=file.parent / folder,
        repeats=repeats,
        caption=str(table.get("class_tokens") or ""),
        text_ending=str(table.get("caption_extension") or TEXT_ENDING).lower(),
        is_regularization=bool(table.get("is_reg")),
        sources=file.parent / sources if isinstance(sources, str) else None,
    )
