"""The losses of a run as a table of lines: one JSON object per step, beside the saved state."""

import json
from dataclasses import asdict
from pathlib import Path

from ...atomic_file import write_text
from .runner import Progress

FILE = "curve.jsonl"


class Curve:
    """The lines before a step, to which those of later ones are added."""

    def __init__(self, folder: Path, first: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / FILE
        rows = read_curve(folder)
        kept = [
            json.dumps(row) for row in rows if (row["step"] or 0) < first
        ]  # a killed run was ahead of its saved state
        write_text(self.file, "".join(f"{line}\n" for line in kept))

    def add(self, progress: Progress) -> None:
        """Write a step's line."""
        with self.file.open("a", encoding="utf-8") as opened:
            opened.write(json.dumps(asdict(progress)) + "\n")


def read_curve(folder: Path) -> list[dict[str, float | int | None]]:
    """The steps of a run, without a last line that was not written to its end."""
    file = folder / FILE
    lines = file.read_text("utf-8").splitlines(keepends=True) if file.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]
