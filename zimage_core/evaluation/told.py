"""A report in a few lines, as a shell and a node show it, and what a report without a number is told as."""

from collections import Counter

from .page import mean_of, worse_than_best, worst_first
from .report import ALL, Figure, Report

MOST_REASONS = 3


def told(report: Report) -> list[str]:
    """What was measured, a line for each figure, and why pictures were not read, the usual reasons first."""
    run = report.run
    if run.prompts == 1:
        lines = [f"{run.title}: {run.name}, 1 prompt, seeds {run.first_seed} to {run.last_seed}"]
    else:
        lines = [f"{run.title}: {run.name}, {run.prompts} prompts, seeds {run.first_seed} to {run.last_seed}"]
    for figure in report.figures:
        counted = _counted(figure)
        lines.append(f"{counted}, {figure.unread} not read" if figure.unread else counted)
    lines += _alike(report)
    reasons = Counter(each.partition(": ")[2] for each in report.problems if ": " in each)
    return [*lines, *(_unread(*each) for each in reasons.most_common(MOST_REASONS))]


def _unread(reason: str, n: int) -> str:
    """Why pictures were not read, and how often."""
    return f"not read: {reason} (once)" if n == 1 else f"not read: {reason} ({n} times)"


def _alike(report: Report) -> list[str]:
    """Where no prompt is worse than another, that it is so: pictures called the worst would be none."""
    known = worst_first(report)
    if len(known) < 2 or worse_than_best(report):
        return []
    value = mean_of(known[0], report.run.columns[0])
    return [f"No prompt is worse than another: all {len(known)} have {value:.4g}."]


def _counted(figure: Figure) -> str:
    """A score with its number; both forms are whole sentences, as the page translates them."""
    score, group, value = figure.score, figure.group or "all", _number(figure)
    if figure.pictures == 1:
        return f"{score}, {group}: {value}, 1 picture"
    return f"{score}, {group}: {value}, {figure.pictures} pictures"


def _number(figure: Figure) -> str:
    """A number with its interval, where there is one."""
    if figure.value is None:
        return "no number"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.4f}"
    return f"{figure.value:.4f} ({figure.low:.4f} to {figure.high:.4f})"


def check_read(report: Report) -> None:
    """Raise ValueError with the usual reason where a score has not a single number."""
    empty = next((each for each in report.figures if each.group == ALL and each.value is None), None)
    if empty is not None:
        raise ValueError(f"no picture could be measured by {empty.score}: {usual_reason(report, empty)}")


def usual_reason(report: Report, figure: Figure) -> str:
    """Why most of a score's pictures have no number."""
    reasons = Counter(
        shown.problems[figure.score]
        for result in report.results
        for shown in result.pictures
        if figure.score in shown.problems
    )
    return reasons.most_common(1)[0][0] if reasons else "it was given none"
