"""Which pictures of a profile a person leaves out: lines such as `sharpness < 20`, one of which has to hold."""

import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..profiling import COLUMNS
from ..profiling.columns import LOW
from ..profiling.thresholds import Proposal

NUMBERS = tuple(each.name for each in COLUMNS if each.type in ("int32", "int64", "float64"))
FORM = re.compile(r"(\w+)\s*([<>])\s*([-+]?[\d.]+(?:e[-+]?\d+)?)", re.IGNORECASE)
COMPARE = {"<": operator.lt, ">": operator.gt}


@dataclass(frozen=True)
class Condition:
    """A measure, on one side of a limit."""

    column: str
    sign: str  # "<" or ">"
    limit: float

    def __str__(self) -> str:
        return f"{self.column} {self.sign} {self.limit:.4g}"

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Whether it is true of a picture; of one without that number it is not."""
        value = row.get(self.column)
        return value is not None and COMPARE[self.sign](value, self.limit)


def condition_of(proposal: Proposal) -> Condition:
    """A proposed threshold as a person would write it, with the digits that keep its meaning."""
    return Condition(proposal.column, "<" if proposal.side == LOW else ">", float(f"{proposal.limit:.4g}"))


def conditions_in(text: str, learned: Sequence[str] = ()) -> tuple[Condition, ...]:
    """The conditions in lines of text, which may name learned columns, too.

    Raises `ValueError` with one sentence for a line that is none.
    """
    known = (*NUMBERS, *learned)
    return tuple(condition_in(line.strip(), known) for line in text.splitlines() if line.strip())


def condition_in(line: str, known: Sequence[str]) -> Condition:
    """That of one line."""
    found = FORM.fullmatch(line)
    try:
        limit = float(found[3]) if found else None
    except ValueError:
        limit = None
    if found is None or limit is None:
        raise ValueError(
            f"'{line[:60]}' is no condition. Write a measure, < or >, and a number, such as: sharpness < 20"
        )
    if found[1] not in known:
        raise ValueError(f"There is no measure '{found[1][:40]}'. Those that there are: {', '.join(known)}.")
    return Condition(found[1], found[2], limit)


def left_out(row: Mapping[str, Any], conditions: Sequence[Condition]) -> str:
    """Why a picture is left out: it cannot be read, or the first condition that holds; empty for one that stays."""
    return row["problem"] or next((str(each) for each in conditions if each.holds(row)), "")
