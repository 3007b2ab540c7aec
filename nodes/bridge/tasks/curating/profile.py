"""A folder's profile on the canvas: what its pictures are, which thresholds they propose, what a person leaves out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .....zimage_core.counted import counted
from .....zimage_core.curation.in_memory import (
    Condition,
    Profile,
    condition_of,
    conditions_in,
    left_out,
    profile_of,
    profile_page,
    row_of_picture,
)
from .....zimage_core.curation.profiling import Found, LearnedColumn
from .....zimage_core.data import Named
from . import scored_column
from .picture_list import PictureList, below_output, found_in, lines, list_file, with_progress, write_list

SHOWN = 6  # pictures of a proposal on the node


class Told(NamedTuple):
    """What the node puts out, and what the page shows on it."""

    pictures: PictureList
    report: str
    brief: str  # the report without what the page shows with its pictures
    file: str  # the names of those that stay
    shown: dict[str, Any]


def profile_folder(folder: str, leave_out: str, pictures: PictureList | None, score: str) -> Told:
    """Measure the pictures and leave out what a person said. Raises ValueError with one sentence."""
    learned = scored_column.column_of(score)
    conditions = conditions_in(leave_out, [learned.name] if learned else [])
    name, found = found_in(folder, pictures)
    rows = (_row(each, learned) for each in with_progress(found))
    profile = profile_of(rows, [learned.column] if learned else [])
    page, kept_file = list_file(name, "profile.html"), list_file(name, "profile.kept.txt")
    write_list(page, profile_page(profile, str(Path(found[0].path).parent)))
    kept = [_name(row) for row in profile.rows if not left_out(row, conditions)]
    write_list(kept_file, lines(kept))
    found_out, proposed = _report(name, profile, conditions, len(kept)), _proposed(profile, conditions)
    where = f"Contact sheets: {below_output(page)}"
    return Told(
        pictures=PictureList(name, kept),
        report="\n".join([*found_out, *proposed, where]),
        brief="\n".join([*found_out, where]),
        file=str(kept_file),
        shown=_shown(name, profile, conditions),
    )


def _row(found: Found, learned: LearnedColumn | None) -> Mapping[str, Any]:
    row = row_of_picture(found)
    return scored_column.scored(dict(row), found, learned) if learned else row


def _report(name: str, profile: Profile, conditions: Sequence[Condition], kept: int) -> list[str]:
    broken = [row for row in profile.rows if row["problem"]]
    told = [f"{counted(len(profile.rows), 'picture')} in {name}: {kept} stay, {len(profile.rows) - kept} do not."]
    told += [f"{_listed(broken)} cannot be read"] if broken else []
    return told + [f"Left out by {each}: {_listed(_those(profile, each))}" for each in conditions]


def _proposed(profile: Profile, conditions: Sequence[Condition]) -> list[str]:
    proposed = [each for each in map(condition_of, profile.proposals) if each not in conditions]
    return [f"Proposed, not applied: {each}: {_listed(_those(profile, each))}" for each in proposed]


def _shown(name: str, profile: Profile, conditions: Sequence[Condition]) -> dict[str, Any]:
    """The proposals, and what a person added to them, with the first pictures of each."""
    every = dict.fromkeys([*map(condition_of, profile.proposals), *conditions])
    return {
        "folder": name,
        "findings": [
            {"condition": str(each), "count": len(those), "names": [_name(row) for row in those[:SHOWN]]}
            for each in every
            for those in [_those(profile, each)]
        ],
    }


def _those(profile: Profile, condition: Condition) -> list[Mapping[str, Any]]:
    """The pictures of which a condition holds, the farthest first."""
    those = [row for row in profile.rows if condition.holds(row)]
    return sorted(those, key=lambda row: row[condition.column], reverse=condition.sign == ">")


def _listed(rows: Sequence[Mapping[str, Any]]) -> str:
    return f"{len(rows)} ({Named.of(map(_name, rows))})" if rows else "0"


def _name(row: Mapping[str, Any]) -> str:
    return Path(row["path"]).name
