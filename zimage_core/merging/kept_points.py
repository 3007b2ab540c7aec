"""What a search has tried, in a folder: a line for each point as it is measured, and the files of its pictures.

A search is deterministic, so it is resumed by running it again over the values that are there.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..json_lines import append_lines, cut_to_whole_lines, read_lines
from .search import Point

JOURNAL = "points.jsonl"


def read_points(folder: Path) -> dict[Point, float]:
    """The values by point; none where there is no folder. A line that was cut off is removed."""
    file = folder / JOURNAL
    if not file.exists():
        return {}
    cut_to_whole_lines(file)
    return {tuple(line["point"]): float(line["value"]) for _, line in read_lines(file)}


def append_point(folder: Path, number: int, point: Point, value: float, more: Mapping[str, Any]) -> None:
    """Write a point's value, higher for better, with what else is to be known of it."""
    folder.mkdir(parents=True, exist_ok=True)
    append_lines(folder / JOURNAL, [{"number": number, "point": point, "value": value, **more}])


def files_of(folder: Path, number: int, n_pictures: int) -> list[Path]:
    """The files of a point's pictures."""
    return [folder / f"point-{number:03}" / f"{picture:02}.png" for picture in range(n_pictures)]
