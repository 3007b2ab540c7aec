"""GenEval's rules (arXiv 2310.11513) over boxes: counts, colours and positions, as its evaluation applies them.

A record is a line of `evaluation_metadata.jsonl`: {"tag", "include": [{"class", "count", "color"?, "position"?}],
"exclude"?: [{"class", "count"}], "prompt"}, where a position is [relation, index of an earlier clause]. All clauses of
"include" have to hold and none of "exclude". Only a class's most confident objects are asked for colour and position.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .detector import Box, Detection

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white")
CONFIDENCE = 0.3
COUNTING_CONFIDENCE = 0.9  # with the tag "counting", where a doubtful object would be one too many
MOST_OBJECTS = 16  # of a class
OVERLAP_ALLOWED = 0.1  # of the summed sizes, which a centre's offset has to exceed
DIRECTION = 0.5  # of the offset's length, which the rest has to exceed along an axis
NO_OFFSET = 1e-3  # pixels


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a picture is right, with a sentence for every clause that failed."""

    failed: tuple[str, ...]
    clauses: int

    @property
    def is_right(self) -> bool:
        """Whether nothing failed."""
        return not self.failed


def kept(found: Sequence[Detection], tag: str) -> dict[str, list[Detection]]:
    """What counts: the objects of each class above the threshold, the most confident first."""
    least = COUNTING_CONFIDENCE if tag == "counting" else CONFIDENCE
    objects: dict[str, list[Detection]] = {}
    for each in sorted(found, key=lambda each: -each.confidence):
        of_class = objects.setdefault(each.name, [])
        if each.confidence > least and len(of_class) < MOST_OBJECTS:
            of_class.append(each)
    return objects


def judge(objects: Mapping[str, Sequence[Detection]], record: Mapping[str, object]) -> Verdict:
    """A record's clauses on the objects of each class, whose colours are known where a clause asks for one."""
    failed: list[str] = []
    groups: list[Sequence[Detection] | None] = []  # the objects of each clause that held, for later positions
    included, excluded = clauses_of(record, "include"), clauses_of(record, "exclude")
    for clause in included:
        group = objects.get(clause.name, ())[: clause.count]
        reasons = broken(clause, group, groups)
        failed += reasons
        groups.append(None if reasons else group)
    for clause in excluded:
        number = len(objects.get(clause.name, ()))
        if number >= clause.count:
            failed.append(f"expected fewer than {clause.count} {clause.name}, found {number}")
    return Verdict(failed=tuple(failed), clauses=len(included) + len(excluded))


@dataclass(frozen=True, kw_only=True)
class Clause:
    """One demand."""

    name: str
    count: int
    colour: str | None
    position: tuple[str, int] | None  # a relation to the objects of an earlier clause


def clauses_of(record: Mapping[str, object], key: str) -> list[Clause]:
    """A record's demands under a key; raises `ValueError` where they are none."""
    given = record.get(key, [])
    try:
        if not isinstance(given, Sequence) or isinstance(given, str):
            raise TypeError
        return [read_clause(each) for each in given]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ValueError(f"{key!r} of a GenEval record is {given!r}, not a list of {{class, count}}") from None


def read_clause(given: Mapping[str, object]) -> Clause:
    """One demand as its file writes it."""
    position, colour = given.get("position"), given.get("color")
    if position is not None:
        relation, target = position  # pyright: ignore[reportGeneralTypeIssues]
        position = str(relation), int(target)
    return Clause(
        name=str(given["class"]),
        count=int(str(given["count"])),
        colour=None if colour is None else str(colour),
        position=position,
    )


def broken(clause: Clause, group: Sequence[Detection], groups: Sequence[Sequence[Detection] | None]) -> list[str]:
    """What a group of objects lacks of a demand."""
    if len(group) < clause.count:
        return [f"expected {clause.count} {clause.name}, found {len(group)}"]
    if clause.colour is not None:
        colours = [each.colour for each in group]
        if colours.count(clause.colour) < clause.count:
            return [f"expected {clause.count} {clause.colour} {clause.name}, found {', '.join(map(str, colours))}"]
    if clause.position is None:
        return []
    relation, index = clause.position
    targets = groups[index] if 0 <= index < len(groups) else None
    if targets is None:
        return [f"nothing there for {clause.name} to be {relation}"]
    for each in group:
        for target in targets:
            relations = relative_position(each.box, target.box)
            if relation not in relations:
                seen = " and ".join(sorted(relations)) or "in no direction from it"
                return [f"expected {clause.name} {relation} {target.name}, found it {seen}"]
    return []


def relative_position(one: Box, other: Box) -> set[str]:
    """Any of "left of", "right of", "above", "below": where one box is from another; none if they overlap too much."""
    offset = [(one[i] + one[i + 2] - other[i] - other[i + 2]) / 2 for i in (0, 1)]
    sizes = [abs(one[i + 2] - one[i]) + abs(other[i + 2] - other[i]) for i in (0, 1)]
    beyond = [max(abs(o) - OVERLAP_ALLOWED * size, 0) for o, size in zip(offset, sizes, strict=True)]
    if max(beyond) < NO_OFFSET:
        return set()
    x, y = (math.copysign(b / math.hypot(*offset), o) for b, o in zip(beyond, offset, strict=True))
    horizontal = {"left of"} if x < -DIRECTION else {"right of"} if x > DIRECTION else set[str]()
    vertical = {"above"} if y < -DIRECTION else {"below"} if y > DIRECTION else set[str]()
    return horizontal | vertical
