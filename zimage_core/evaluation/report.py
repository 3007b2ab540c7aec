"""An evaluation's report: totals with intervals, published rows beside them, every picture's numbers and problems.

It depends on nothing but the run and its measurements, so one that was interrupted or split ends with the same report.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .case import Case, Published, Suite
from .intervals import interval
from .journal import Entry, Key
from .run import Column, Run

DIGITS = 6  # of numbers in a report: what is beyond depends on the machine
ALL = ""  # the group of everything


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A number of the table."""

    score: str
    group: str
    value: float | None
    low: float | None
    high: float | None
    method: str
    pictures: int  # that were measured
    unread: int


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One picture with its numbers by score."""

    file: str
    tile: int | None
    seed: int
    values: Mapping[str, float | None]
    parts: Mapping[str, Mapping[str, float]]
    problems: Mapping[str, str]
    notes: Mapping[str, str]  # what the score saw, in words


@dataclass(frozen=True, kw_only=True)
class Result:
    """One prompt with its pictures."""

    case: str
    prompt: str
    group: str
    pictures: tuple[Shown, ...]


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that an evaluation found."""

    run: Run
    figures: tuple[Figure, ...]
    published: tuple[Published, ...]
    problems: tuple[str, ...]
    results: tuple[Result, ...]


def make_report(
    run: Run, suite: Suite, cases: Sequence[Case], known: Mapping[Key, Entry], unclaimed: Sequence[str] = ()
) -> Report:
    """The report of what is measured; a picture that is not yet counts as unread."""
    figures = tuple(
        figure(suite, column, group, [case for case in cases if group in (ALL, case.group)], known)
        for column in run.columns
        for group in (ALL, *groups_of(cases))
    )
    return Report(
        run=run,
        figures=figures,
        published=suite.published,
        problems=tuple(problems_of(cases, run, known, unclaimed)),
        results=tuple(_result(case, run, known) for case in cases),
    )


def groups_of(cases: Sequence[Case]) -> list[str]:
    """The groups in their order; none if all cases are of one."""
    groups = list(dict.fromkeys(case.group for case in cases))
    return groups if len(groups) > 1 else []


def figure(suite: Suite, column: Column, group: str, cases: Sequence[Case], known: Mapping[Key, Entry]) -> Figure:
    """The total of a score over cases; prompts none of whose pictures was read are left out."""
    totals = suite.totals_of(column.name)
    values: list[float] = []
    terms: list[list[float]] = []
    for case in cases:
        found = [known.get((case.id, number, column.title)) for number in range(len(case.places))]
        read = [entry.measurement for entry in found if entry is not None and entry.value is not None]
        if read:
            values += [each.value for each in read if each.value is not None]
            terms.append(totals.terms(read, case.group))
    made = interval(values, np.array(terms, np.float64), totals)
    return Figure(
        score=column.title,
        group=group,
        value=rounded(made.value),
        low=rounded(made.low),
        high=rounded(made.high),
        method=made.method,
        pictures=len(values),
        unread=sum(len(case.places) for case in cases) - len(values),
    )


def problems_of(cases: Sequence[Case], run: Run, known: Mapping[Key, Entry], unclaimed: Sequence[str]) -> list[str]:
    """A sentence for each prompt with a wrong count, each picture that was not read, and what belongs to no prompt."""
    told: list[str] = []
    for case in cases:
        sentences: dict[str, int] = {}
        for number in range(len(case.places)):
            entries = [known.get((case.id, number, column.title)) for column in run.columns]
            for entry in entries:
                problem = "not measured yet" if entry is None else entry.problem if entry.value is None else ""
                if problem:
                    sentences[problem] = sentences.get(problem, 0) + 1
        absent = [each for each in sentences if each.startswith("there is no ")]
        if absent:
            told.append(f"{case.id}: {len(case.places) - len(absent)} of {len(case.places)} pictures are there")
        told += [f"{case.id}: {each}" for each in sentences if each not in absent]
    if unclaimed:
        told.append(f"{len(unclaimed)} pictures belong to no prompt, among them {', '.join(unclaimed[:3])}")
    return told


def _result(case: Case, run: Run, known: Mapping[Key, Entry]) -> Result:
    return Result(
        case=case.id,
        prompt=case.prompt,
        group=case.group,
        pictures=tuple(_shown(case, number, run, known) for number in range(len(case.places))),
    )


def _shown(case: Case, number: int, run: Run, known: Mapping[Key, Entry]) -> Shown:
    found = {column.title: known.get((case.id, number, column.title)) for column in run.columns}
    return Shown(
        file=case.places[number].file,
        tile=case.places[number].tile,
        seed=case.seeds[number],
        values={name: None if entry is None else rounded(entry.value) for name, entry in found.items()},
        parts={name: dict(entry.parts) for name, entry in found.items() if entry is not None},
        problems={
            name: "not measured yet" if entry is None else entry.problem
            for name, entry in found.items()
            if entry is None or entry.value is None
        },
        notes={name: entry.notes for name, entry in found.items() if entry is not None and entry.notes},
    )


def rounded(value: float | None) -> float | None:
    """A number as it is told; none where it is not finite."""
    return None if value is None or not math.isfinite(value) else round(value, DIGITS)
