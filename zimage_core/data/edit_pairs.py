"""Pairs for editing: what a picture was, what became of it, and the instruction that leads from one to the other.

Three layouts: folders `source` and `target` with files of equal names (`source1`, `source2` … where several pictures
are looked at); names in one folder, `fox.source.png` beside `fox.target.png`; or lines of `pairs.jsonl`,
`{"source": "fox.png", "target": "red_fox.png", "instruction": "make the fox red"}`. Instructions stand where captions
do: `fox.txt` in the folder or in one of the two.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .captions import Row, rows_of
from .listing import Entry, Files, ListedExamples, Listing
from .named import Named
from .picture_files import file_names, is_picture_name, purpose_of, stem_of
from .picture_folder import (
    MASK,
    PICTURE,
    caption_entries,
    captions_among,
    check_folder,
    mask_among,
    mask_entries,
)

TARGET = "target"
SOURCE = re.compile(r"source(\d*)", re.IGNORECASE)
TABLES = ("pairs.jsonl", "zimage_captions.difference.jsonl")
SOURCE_KEYS = ("source", "sources", "picture")


def holds_pairs(folder: Path) -> bool:
    """Whether a folder is laid out as pairs."""
    return bool(
        _source_folders(folder)
        or any((folder / table).is_file() for table in TABLES)
        or any(purpose_of(name)[1] == TARGET for name in filter(is_picture_name, file_names(folder)))
    )


def read_pairs(folder: Path, instruction: str = "") -> ListedExamples:
    """The pairs of a folder in any of the layouts; `instruction` is that of pairs without one.

    Raises ValueError with one sentence for pairs of which a picture or the instruction is missing.
    """
    check_folder(folder)
    if sources := _source_folders(folder):
        return read_pair_folders(sources, folder / TARGET, instruction, folder=folder)
    table = next((folder / name for name in TABLES if (folder / name).is_file()), None)
    return _read(_lines(table) if table else _named_entries(folder), folder, instruction)


def read_pair_folders(
    sources: Sequence[Path], target: Path, instruction: str = "", *, folder: Path | None = None
) -> ListedExamples:
    """Pairs of pictures that have equal names in two folders or more."""
    for each in (*sources, target):
        check_folder(each)
    folder = folder or target
    return _read(_entries_of_folders(sources, target, folder), folder, instruction)


def _source_folders(folder: Path) -> list[Path]:
    """`source`, `source1`, `source2` … beside `target`, in their order."""
    if not (folder / TARGET).is_dir():
        return []
    found = [each for each in folder.iterdir() if SOURCE.fullmatch(each.name) and each.is_dir()]
    return sorted(found, key=lambda each: _number(each.name))


def _number(role: str) -> int:
    found = SOURCE.fullmatch(role)
    return int(found[1] or 0) if found else -1


def _entries_of_folders(sources: Sequence[Path], target: Path, folder: Path) -> Iterator[Entry]:
    roles = {target: TARGET, **{each: f"source{index}" for index, each in enumerate(sources, 1)}}
    for place, role in roles.items():
        below = "" if place == folder else f"{place.relative_to(folder) if place.is_relative_to(folder) else place}/"
        for name in filter(is_picture_name, file_names(place)):
            stem, purpose = purpose_of(name)
            yield Entry(stem, MASK, below + name) if purpose == MASK else Entry(stem_of(name), role, below + name)
        yield from caption_entries(place, below)
    if folder not in roles:
        yield from caption_entries(folder)
    yield from mask_entries(folder)


def _named_entries(folder: Path) -> Iterator[Entry]:
    for name in filter(is_picture_name, file_names(folder)):
        stem, purpose = purpose_of(name)
        yield Entry(stem, purpose or PICTURE, name)
    yield from caption_entries(folder)
    yield from mask_entries(folder)


def _lines(table: Path) -> Iterator[Entry]:
    """A table's pairs; a picture may stand in many. Raises ValueError with one sentence for a line that is none."""
    for number, row in enumerate(rows_of(table), 1):
        target, sources = row.values.get(TARGET), _sources(row)
        if not isinstance(target, str) or not sources:
            raise ValueError(f"{table}, pair {number}, names no source and target; correct it or remove it")
        stem = f"{number:012}"
        roles = {TARGET: target, **{f"source{index}": each for index, each in enumerate(sources, 1)}}
        for role, file in roles.items():
            if (table.parent / file).is_file():
                yield Entry(stem, role, file)
        yield Entry(stem, "a line", table.name, row.offset)


def _sources(row: Row) -> list[str]:
    found: Any = next((row.values[key] for key in SOURCE_KEYS if key in row.values), None)
    listed: list[Any] = found if isinstance(found, list) else [found]
    return [each for each in listed if isinstance(each, str)]


def _read(entries: Iterator[Entry], folder: Path, instruction: str) -> ListedExamples:
    listing, incomplete, missing = Listing(), Named(), Named()
    listing.add(entries)
    examples = listing.kept(_files(listing, incomplete, missing, has_one=bool(instruction)), folder, instruction)
    total = len(examples) + incomplete.count
    if incomplete.count:
        raise ValueError(
            f"{incomplete.count} of {total} pairs in {folder} are incomplete: {incomplete}. Each needs one source or "
            "more, and one target of the same name"
        )
    if not total:
        raise ValueError(f"{folder} holds no pairs: put pictures of equal names into the two folders")
    if missing.count:
        raise ValueError(
            f"{missing.count} of {total} pairs in {folder} have no instruction: {missing}. Write a text of the same "
            f"name, such as {missing.names[0]}.txt, or give one instruction for all"
        )
    examples.check()
    return examples


def _files(listing: Listing, incomplete: Named, missing: Named, *, has_one: bool) -> Iterator[Files]:
    """Pairs, and pictures that stand for themselves; faults are counted by the names of their pairs."""
    for stem, entries in listing.groups():
        sources = sorted((each for each in entries if SOURCE.fullmatch(each.role)), key=lambda each: _number(each.role))
        targets = [each.file for each in entries if each.role == TARGET]
        alone = [each.file for each in entries if each.role == PICTURE]
        captions = captions_among(entries)
        name = f"{entries[0].file}, line {int(stem)}" if stem.isdigit() and len(stem) == 12 else stem
        if (sources or targets) and not (sources and len(targets) == 1):
            incomplete.add(_fault(name, len(targets)))
            continue
        for picture in (*targets, *alone):
            if not captions and not has_one:
                missing.add(stem)
            yield Files(picture, captions, [each.file for each in sources] if targets else [], mask_among(entries))


def _fault(name: str, n_targets: int) -> str:
    what = {0: "target", 1: "source"}.get(n_targets)
    return f"{name} lacks its {what}" if what else f"{name} has {n_targets} targets"
