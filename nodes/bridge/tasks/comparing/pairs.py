"""What the pictures of two columns say: the means, each pair, and whether the difference is real."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from .....zimage_core.evaluation.pairs import Pairs, paired
from .....zimage_core.grid import Plot
from .....zimage_core.scoring.score import Measurement, Score
from .. import scores
from .columns import Row, columns_of, per_picture, sheets
from .models import MODEL_B, Terms


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Both columns measured."""

    label: str  # of column B
    compared: str  # what A and B are, in words
    score: Score
    rows: Sequence[Row]
    one: Sequence[Measurement]
    other: Sequence[Measurement]
    equal: int  # pairs of pictures that are equal bit by bit

    @property
    def values(self) -> list[list[float | None]]:
        """The numbers of A and of B."""
        return [[each.value for each in column] for column in (self.one, self.other)]

    def pairs(self) -> Pairs:
        """What the numbers say; ValueError where no picture has one in both columns."""
        if not any(a is not None and b is not None for a, b in zip(*self.values, strict=True)):
            problem = next(each.problem for each in (*self.one, *self.other) if each.value is None)
            raise ValueError(f"No picture could be scored by {self.score.name}: {problem}.")
        return paired(*self.values, higher_is_better=self.score.higher_is_better)


@dataclass(frozen=True, kw_only=True)
class Found:
    """The outputs of the node, what it shows and what a saved picture tells."""

    outputs: tuple[Any, ...]
    report: str
    shown: Tensor
    facts: dict[str, Any]
    plot: Plot | None = None


def compared(terms: Terms, pictures: Mapping[str, Tensor], words: Mapping[str, str]) -> Found:
    """Measure both columns and compare them pair by pair; `words` of the sheet by their English, where it has others.

    Raises ValueError where no pair could be measured.
    """
    drawn = columns_of(pictures, 2)
    columns = _measured(terms, drawn)
    pairs = columns.pairs()
    facts = facts_of(columns, pairs)
    label = terms.label.replace(MODEL_B, words.get(MODEL_B, MODEL_B), 1)
    titles = [f"{name}: {mean:.4g}" for name, mean in zip(("A", label), pairs.means, strict=True)]
    both = zip(columns.rows, columns.one, columns.other, strict=True)
    labels = [f"{row.label(words)}: {_number(one)}, {_number(other)}" for row, one, other in both]
    sheet, shown = sheets(drawn, titles, labels)
    report = report_of(columns, pairs)
    gap = pairs.difference
    outputs = (sheet, *drawn, gap.difference.value, gap.p, report, _parts(columns, facts))
    return Found(outputs=outputs, report=report, shown=shown, facts=facts)


def _measured(terms: Terms, drawn: Sequence[Tensor]) -> Columns:
    rows = per_picture(terms.rows, len(drawn[0]))
    score = scores.score_of(terms.score, terms.reader)
    requests = [scores.request_of(row.prompt, "") for row in rows]
    found = scores.measured(scores.pil_pictures(torch.cat([*drawn])), score, requests * 2)
    return Columns(
        label=terms.label,
        compared=terms.compared,
        score=score,
        rows=rows,
        one=found[: len(rows)],
        other=found[len(rows) :],
        equal=sum(map(torch.equal, *drawn)),
    )


def facts_of(columns: Columns, pairs: Pairs) -> dict[str, Any]:
    """For a saved picture."""
    score = columns.score
    gap = pairs.difference.difference
    return {
        "score": score.name,
        "reader": score.reader,
        "columns": ["A", columns.label],
        "means": list(pairs.means),
        "difference": gap.value,
        "interval": [gap.low, gap.high],
        "p": pairs.difference.p,
        "method": pairs.difference.method,
        "verdict": pairs.verdict,
        "values": columns.values,
    }


def report_of(columns: Columns, pairs: Pairs) -> str:
    """The verdict, what was compared, the means, and a line for each pair."""
    (a, b), n_pairs = pairs.means, len(pairs.one)
    gap, p, method = pairs.difference.difference, pairs.difference.p, pairs.difference.method
    told = f"{gap.value:+.4g} ({gap.low:+.4g} to {gap.high:+.4g})" if n_pairs > 1 else f"{gap.value:+.4g}"
    if n_pairs == 1:
        compared = f"B - A: {told}, p = {p:.3g}, 1 pair ({method})"
    else:
        compared = f"B - A: {told}, p = {p:.3g}, {n_pairs} pairs ({method})"
    lines = [
        f"Verdict by {scores.title_of(columns.score)}: {pairs.verdict}",
        columns.compared,
        f"Means: A {a:.4g}, B {b:.4g}",
        compared,
    ]
    if columns.equal:
        lines.append(f"Pairs that are equal bit by bit: {columns.equal} of {len(columns.rows)}")
    both = zip(columns.rows, columns.one, columns.other, strict=True)
    return "\n".join(lines + [_line(row, one, other) for row, one, other in both])


def _parts(columns: Columns, facts: Mapping[str, Any]) -> str:
    """All of it as JSON."""
    both = zip(columns.rows, columns.one, columns.other, strict=True)
    pairs = [{**asdict(row), "A": scores.facts_of(one), "B": scores.facts_of(other)} for row, one, other in both]
    return json.dumps({**facts, "equal_pictures": columns.equal, "pairs": pairs})


def _line(row: Row, one: Measurement, other: Measurement) -> str:
    """Both numbers and by how much they differ, or why the pair does not count."""
    if one.value is None or other.value is None:
        change = f"does not count: {one.problem or other.problem}"
    else:
        change = f"{other.value - one.value:+.4g}"
    return f"{row.prompt}, seed {row.seed}: {_number(one)}, {_number(other)} ({change})"


def _number(measurement: Measurement) -> str:
    return "-" if measurement.value is None else f"{measurement.value:.4g}"
