"""Copies among a folder's pictures on the canvas: a search proposes, a person decides, nothing is removed."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from .....zimage_core.counted import counted
from .....zimage_core.curation.in_memory import Copy, copies_among, seen
from .....zimage_core.curation.profiling import Found
from .picture_list import PictureList, below_output, found_in, lines, list_file, with_progress, write_list

KEEP, DROP = "keep", "drop"
REMEMBERED = 4  # searches; a person who clicks does not wait for the same one again
HEAD = ("picture", "verdict", "keeper", "why")


class Told(NamedTuple):
    """What the node puts out, and what the page shows on it."""

    pictures: PictureList
    report: str
    file: str  # the table of all copies
    shown: dict[str, Any]


def find_duplicates(folder: str, most_difference: float, choices: str, pictures: PictureList | None) -> Told:
    """Search, and decide. Raises ValueError with one sentence."""
    chosen = choices_in(choices)
    name, found = found_in(folder, pictures)
    copies = _search(tuple(found), most_difference)
    groups = _groups(copies)
    every = [each for group in groups for each in group]
    dropped = {_name(each.path) for each in every if _verdict(each, chosen) == DROP}
    kept = [name for name in (_name(each.path) for each in copies) if name not in dropped]
    table, kept_file = list_file(name, "duplicates.tsv"), list_file(name, "duplicates.kept.txt")
    rows = [(_name(each.path), _verdict(each, chosen), _name(each.keeper), each.reason) for each in every]
    write_list(table, lines("\t".join(row) for row in (HEAD, *rows)))
    write_list(kept_file, lines(kept))
    told = [f"{counted(len(found), 'picture')} in {name}: {len(kept)} stay, {len(dropped)} are copies."]
    if unread := len(found) - len(copies):
        told.append(f"Not looked at, as they cannot be read: {unread}")
    report = "\n".join([*told, f"Table: {below_output(table)}"])
    return Told(PictureList(name, kept), report, str(kept_file), _shown(name, groups))


def choices_in(text: str) -> Mapping[str, str]:
    """A person's verdicts by the picture's name, from lines such as `keep fox.png`; the last one counts."""
    chosen = dict[str, str]()
    for line in filter(None, map(str.strip, text.splitlines())):
        verdict, _, name = line.partition(" ")
        if verdict not in (KEEP, DROP) or not name.strip():
            raise ValueError(f"'{line[:60]}' is no choice. Write keep or drop and a file's name, such as: keep fox.png")
        chosen[name.strip()] = verdict
    return chosen


@lru_cache(REMEMBERED)
def _search(found: tuple[Found, ...], most_difference: float) -> list[Copy]:
    return copies_among([each for each in map(seen, with_progress(found)) if each], most_difference, with_progress)


def _groups(copies: Sequence[Copy]) -> list[list[Copy]]:
    """Pictures with the same keeper, which comes first; those alone are left out."""
    groups = dict[str, list[Copy]]()
    for each in sorted(copies, key=lambda copy: (copy.keeper, copy.path != copy.keeper)):
        groups.setdefault(each.keeper, []).append(each)
    return [group for group in groups.values() if len(group) > 1]


def _verdict(copy: Copy, chosen: Mapping[str, str]) -> str:
    return chosen.get(_name(copy.path), KEEP if copy.path == copy.keeper else DROP)


def _shown(name: str, groups: Sequence[Sequence[Copy]]) -> dict[str, Any]:
    """The groups for the wall; the page lays a person's choices over them."""
    return {"folder": name, "groups": [[_tile(each) for each in group] for group in groups]}


def _tile(copy: Copy) -> dict[str, str]:
    size = f"{copy.width} x {copy.height}"
    return {"name": _name(copy.path), "kind": copy.kind, "size": size, "why": copy.reason}


def _name(path: str) -> str:
    return Path(path).name
