"""Two reports on the same prompts: is the difference real, and which prompts lost or won most."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

import numpy as np

from ..scoring.score import Measurement
from .page import Look, figure_html, number, page
from .paired import Difference, compare_runs
from .report import Report, Result, rounded
from .run import Column
from .totals import Array, Totals

MOST_SHOWN = 12  # prompts that lost most, and as many that won


@dataclass(frozen=True, kw_only=True)
class Changed:
    """A prompt's number in both runs."""

    case: str
    prompt: str
    one: float
    other: float


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One score of both runs."""

    column: Column
    one: float
    other: float
    difference: Difference
    cases: tuple[Changed, ...]  # those that changed, what lost most first

    @property
    def verdict(self) -> str:
        """Better, worse or no real difference, in words."""
        gap = self.difference
        if not gap.is_real:
            return "no real difference"
        return "better" if (gap.difference.value > 0) == self.column.higher_is_better else "worse"

    def told(self) -> str:
        """The result in a line."""
        gap = self.difference.difference
        return (
            f"{self.column.title}: {self.one:.4f} to {self.other:.4f}, difference {gap.value:+.4f} "
            f"({gap.low:+.4f} to {gap.high:+.4f}), p = {self.difference.p:.3g} ({self.difference.method}): "
            + self.verdict
        )


def compare_reports(one: Report, other: Report, totals_of: Callable[[str], Totals]) -> list[Compared]:
    """Every score that both reports have, with the same reader, over the prompts that both have measured."""
    if one.run.suite != other.run.suite:
        raise ValueError(f"{one.run.title} and {other.run.title} cannot be compared: they are two suites")
    known = {column.title: column for column in one.run.columns}
    shared = [column for column in other.run.columns if column.title in known]
    if not shared:
        raise ValueError(
            f"no score has the same reader in both: {', '.join(known)} against "
            f"{', '.join(column.title for column in other.run.columns)}"
        )
    return [_compared(one, other, column, totals_of(column.name)) for column in shared]


def _compared(one: Report, other: Report, column: Column, totals: Totals) -> Compared:
    first = {result.case: result for result in one.results}
    pairs: list[tuple[Result, Result]] = []
    for second in other.results:
        if (before := first.get(second.case)) is None:
            continue
        if before.prompt != second.prompt:
            raise ValueError(f"{second.case} is another prompt in the two reports: they cannot be compared in pairs")
        if _read(before, column) and _read(second, column):
            pairs.append((before, second))
    if not pairs:
        raise ValueError(f"the two reports share no prompt that was measured by {column.title}")
    terms = tuple(
        np.array([totals.terms(_read(each, column), each.group) for each in side]) for side in zip(*pairs, strict=True)
    )
    a, b = (_numbers(side, totals) for side in terms)
    cases = sorted(
        (
            Changed(case=before.case, prompt=before.prompt, one=float(x), other=float(y))
            for (before, _), x, y in zip(pairs, a, b, strict=True)
            if x != y
        ),
        key=lambda each: (each.other - each.one) * (1 if column.higher_is_better else -1),
    )
    return Compared(
        column=column,
        one=float(totals.total(terms[0].sum(0))),
        other=float(totals.total(terms[1].sum(0))),
        difference=compare_runs(a.tolist(), b.tolist(), (terms[0], terms[1]), totals),
        cases=tuple(cases),
    )


def _read(result: Result, column: Column) -> list[Measurement]:
    """The measurements of a prompt's pictures that have a number."""
    return [
        Measurement(value=value, parts=shown.parts.get(column.title, {}))
        for shown in result.pictures
        if (value := shown.values[column.title]) is not None
    ]


def _numbers(terms: Array, totals: Totals) -> Array:
    """Each case's own total."""
    return np.nan_to_num(totals.total(terms))


def to_record(compared: Sequence[Compared]) -> list[dict[str, Any]]:
    """What is written as JSON."""
    return [
        {
            "score": each.column.title,
            "one": rounded(each.one),
            "other": rounded(each.other),
            "difference": rounded(each.difference.difference.value),
            "low": rounded(each.difference.difference.low),
            "high": rounded(each.difference.difference.high),
            "p": rounded(each.difference.p),
            "method": each.difference.method,
            "verdict": each.verdict,
            "cases": [asdict(case) for case in each.cases],
        }
        for each in compared
    ]


def comparison_page(one: Report, other: Report, compared: Sequence[Compared], looks: tuple[Look, Look]) -> str:
    """One HTML page with the pictures of both runs beside each other, what lost most first."""
    title = f"{one.run.title}: {one.run.name} and {other.run.name}"
    parts = [f"<h1>{escape(title)}</h1>"]
    for each in compared:
        parts.append(f"<h2>{escape(each.column.title)}</h2><p>{escape(each.told())}</p>")
        lost, won = each.cases[:MOST_SHOWN], each.cases[MOST_SHOWN:][-MOST_SHOWN:]
        parts += [_beside(case, looks) for case in (*lost, *won)]
    return page(title, "\n".join(parts))


def _beside(case: Changed, looks: tuple[Look, Look]) -> str:
    figures = "".join(
        figure_html(look(case.case, 0), number(value))
        for look, value in zip(looks, (case.one, case.other), strict=True)
    )
    return f'<div class="case"><p><b>{escape(case.case)}</b>\n{escape(case.prompt)}</p>{figures}</div>'
