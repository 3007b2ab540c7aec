"""A report as one HTML page that needs nothing else: totals beside published ones, a plot, the worst prompts first."""

from collections.abc import Callable, Sequence
from html import escape

from PIL import Image

from ..counted import counted
from ..html_page import figure_html, page
from .case import Published
from .plot import Bar, svg
from .report import ALL, Figure, Report, Result
from .run import Column

Look = Callable[[str, int], Image.Image | None]  # the n-th picture of a case, where it can be read

WORST = 24  # prompts whose pictures are shown
MOST_PROBLEMS = 100


def html_page(report: Report, look: Look) -> str:
    """The page; the pictures it shows are inside it, made smaller."""
    run = report.run
    facts = (
        f"{counted(run.prompts, 'prompt')}, {counted(run.pictures, 'picture')}, "
        f"seeds {run.first_seed} to {run.last_seed}, {run.source}. "
        + ("Counted as the authors' program counts." if run.as_authors else "Counted without the slips of the authors.")
    )
    worst = worst_first(report)[:WORST]
    parts = [
        f"<h1>{escape(run.title)}: {escape(run.name)}</h1><p>{escape(facts)}</p>",
        _table(report),
        svg([bar for figure in report.figures if (bar := _bar(report, figure))]),
        "".join(f'<p class="small">{escape(line)}</p>' for line in _footnotes(report)),
        _problems(report.problems),
        _heading(report, len(worst)),
        *(case_html(result, run.columns, look) for result in worst),
    ]
    return page(f"{run.title}: {run.name}", "\n".join(part for part in parts if part))


def _heading(report: Report, shown: int) -> str:
    """What the pictures below are."""
    if not shown:
        return ""
    if not worse_than_best(report):
        return f"<h2>No prompt is worse than another; {shown} of {counted(len(report.results), 'prompt')}</h2>"
    return f"<h2>The worst {shown} of {len(report.results)} prompts</h2>"


def worst_first(report: Report) -> list[Result]:
    """Prompts with a number, by the mean of the first score, the worst first."""
    if not report.run.columns:
        return []
    column = report.run.columns[0]
    means = {result.case: mean for result in report.results if (mean := mean_of(result, column)) is not None}
    ranked = (result for result in report.results if result.case in means)
    return sorted(ranked, key=lambda result: means[result.case], reverse=not column.higher_is_better)


def worse_than_best(report: Report) -> list[Result]:
    """Those with a worse number than the best prompt, the worst first; none where no prompt is worse than another."""
    ranked = worst_first(report)
    if not ranked:
        return []
    column = report.run.columns[0]
    best = mean_of(ranked[-1], column)
    return [result for result in ranked if mean_of(result, column) != best]


def mean_of(result: Result, column: Column) -> float | None:
    """The mean of a prompt's pictures, of those that were read."""
    values = [value for shown in result.pictures if (value := shown.values[column.title]) is not None]
    return sum(values) / len(values) if values else None


def published_beside(report: Report, figure: Figure) -> list[Published]:
    """Published figures of the same metric and group."""
    name = next(column.name for column in report.run.columns if column.title == figure.score)
    return [
        each
        for each in report.published
        if each.group == figure.group and (each.metric == name or each.metric.endswith(f" {name}"))
    ]


def _table(report: Report) -> str:
    rows = [
        "<tr><th>score</th><th>group</th><th>number</th><th>95 % interval</th><th>pictures</th><th>not read</th>"
        "<th>published, with the reader</th></tr>"
    ]
    for figure in report.figures:
        cells = (number(figure.value), interval_of(figure), figure.pictures, figure.unread)
        beside = "; ".join(f"{each.model} {each.value:g} ({each.reader})" for each in published_beside(report, figure))
        rows.append(
            f"<tr><td>{escape(figure.score)}</td><td>{escape(figure.group or 'all')}</td>"
            + "".join(f'<td class="number">{cell}</td>' for cell in cells)
            + f"<td>{escape(beside)}</td></tr>"
        )
    return f"<table>{''.join(rows)}</table>"


def interval_of(figure: Figure) -> str:
    """The interval as it is shown."""
    return number(None) if figure.low is None else f"{number(figure.low)} to {number(figure.high)}"


def _bar(report: Report, figure: Figure) -> Bar | None:
    if figure.value is None or figure.low is None or figure.high is None:
        return None
    name = next(column.name for column in report.run.columns if column.title == figure.score)
    marks = [(each.model, each.value) for each in published_beside(report, figure)]
    return Bar(
        label=name if figure.group == ALL else figure.group,
        value=figure.value,
        low=figure.low,
        high=figure.high,
        marks=marks,
    )


def _footnotes(report: Report) -> list[str]:
    methods = list(dict.fromkeys(figure.method for figure in report.figures))
    sources = list(dict.fromkeys(each.source for each in report.published))
    notes = [f"Intervals: {'; '.join(methods)}."]
    if sources:
        notes.append(f"Published by {'; '.join(sources)}. Another reader's figure is another column, not a difference.")
    return notes


def _problems(problems: Sequence[str]) -> str:
    if not problems:
        return ""
    more = len(problems) - MOST_PROBLEMS
    lines = [*problems[:MOST_PROBLEMS], *([f"and {more} more"] if more > 0 else [])]
    return f"<h2>Not read</h2><ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"


def case_html(result: Result, columns: Sequence[Column], look: Look) -> str:
    """A prompt with its pictures and their numbers."""
    shown = "".join(
        figure_html(look(result.case, index), _caption(result, index, columns)) for index in range(len(result.pictures))
    )
    head = f"<b>{escape(result.case)}</b> {escape(result.group)}"
    return f'<div class="case"><p>{head}\n{escape(result.prompt)}</p>{shown}</div>'


def _caption(result: Result, index: int, columns: Sequence[Column]) -> str:
    picture = result.pictures[index]
    told = [
        f"{column.name} {number(picture.values[column.title])}"
        + "".join(f", {name} {part:g}" for name, part in picture.parts.get(column.title, {}).items())
        + "".join(f", {words}" for said in (picture.problems, picture.notes) if (words := said.get(column.title)))
        for column in columns
    ]
    return f"seed {picture.seed}; " + "; ".join(told)


def number(value: float | None) -> str:
    """A number as it is shown."""
    return "–" if value is None else f"{value:.4f}"
