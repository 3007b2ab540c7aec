"""Markdown tables aligned for plain text, the log file, and number formatting."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

HEADING = """# Measurements

Appended by `python -m bench`. Weights are random and the same in every system. Seconds compare systems in one process,
round by round, never two entries of this log with each other. `bench/README.md` says what the columns mean.
"""


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown table; the first column is left-aligned, the others right-aligned."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]

    def line(row: Sequence[str]) -> str:
        cells = [row[0].ljust(widths[0])]
        cells += [text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True)]
        return "| " + " | ".join(cells) + " |"

    rule = "|" + "|".join("-" * (width + 1) + (":" if index else "-") for index, width in enumerate(widths)) + "|"
    return "\n".join((line(header), rule, *(line(row) for row in rows)))


def append(log: Path, title: str, preamble: Sequence[str], body: str) -> None:
    """Append a dated entry to the log."""
    head = "" if log.exists() else HEADING
    entry = "\n".join(
        (f"\n## {date.today().isoformat()} · {title}\n", *(f"- {line}" for line in preamble), "", body, "")
    )
    with log.open("a", encoding="utf-8") as file:
        file.write(head + entry)


def duration(seconds: float) -> str:
    """Seconds or milliseconds, three significant digits."""
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def size(n_bytes: float) -> str:
    """MiB below 1000 MiB, else GiB."""
    mebibytes = n_bytes / 2**20
    return f"{mebibytes:.3g} MiB" if mebibytes < 1000 else f"{mebibytes / 1024:.3g} GiB"
