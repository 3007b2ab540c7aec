"""Preference pairs: of two pictures of one prompt the one that a person chose, one JSON object a line.

Pictures are named by paths below the file's own folder, so that the folder can be moved or packed as it is. Files of
other programs need no more than `prompt`, `chosen` and `rejected` on each line, and names that are unknown here are
left out.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from ..atomic_file import write_text

Side = Literal["left", "right"]


@dataclass(frozen=True, kw_only=True)
class Preference:
    """One choice between two pictures. A draw says that neither is better: it is no example to learn from."""

    prompt: str
    chosen: str  # "pictures/3f0c….png", named by the picture's content; in a draw the one on the left
    rejected: str
    draw: bool = False
    chosen_by: str = ""  # the contestant that drew it
    rejected_by: str = ""
    chosen_seed: int | None = None  # None where the graph does not tell
    rejected_seed: int | None = None
    side: Side = "left"  # where `chosen` stood: who always looks left first would be seen here
    time: str = ""  # of the choice, in UTC as ISO 8601
    pair: str = ""  # which two pictures were compared; the same for a comparison that is taken back and made again


NAMES = tuple(each.name for each in fields(Preference))


def read_preferences(file: Path) -> list[Preference]:
    """All choices, draws among them, oldest first. Raises ValueError that names the first line that is none."""
    with file.open(encoding="utf-8") as lines:
        return [_preference(file, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _preference(file: Path, number: int, line: str) -> Preference:
    try:
        values: dict[str, Any] = json.loads(line)
        if not all(isinstance(values[name], str) for name in ("prompt", "chosen", "rejected")):
            raise TypeError("prompt, chosen and rejected have to be texts")
        return Preference(**{name: values[name] for name in NAMES if name in values})
    except KeyError as missing:
        raise ValueError(
            f"{file}, line {number} is no preference pair (it lacks {missing}): delete that line"
        ) from None
    except (ValueError, TypeError) as error:
        raise ValueError(f"{file}, line {number} is no preference pair ({error}): delete that line") from error


def write_preferences(file: Path, preferences: Iterable[Preference]) -> None:
    """Write all choices, complete or not at all."""
    write_text(file, "".join(json.dumps(asdict(each), ensure_ascii=False) + "\n" for each in preferences))
