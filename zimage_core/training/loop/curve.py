"""The losses of a run as a table of lines: one JSON object per step, beside the saved state."""

from dataclasses import asdict
from pathlib import Path

from ...atomic_file import write_text
from ...json_lines import read_lines, to_lines
from .runner import Progress

FILE = "curve.jsonl"


class Curve:
    """The lines before a step, to which those of later ones are added."""

    def __init__(self, folder: Path, first: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / FILE
        # a killed run was ahead of its saved state
        write_text(self.file, to_lines(row for row in read_curve(folder) if (row["step"] or 0) < first))

    def add(self, progress: Progress) -> None:
        """Write a step's line."""
        with self.file.open("a", encoding="utf-8") as opened:
            opened.write(to_lines([asdict(progress)]))


def read_curve(folder: Path) -> list[dict[str, float | int | None]]:
    """The steps of a run, without a last line that was not written to its end."""
    file = folder / FILE
    return [row for _, row in read_lines(file)] if file.exists() else []
