"""DPG-Bench: dense prompts, each with questions that depend on one another (ELLA, arXiv 2403.05135).

`dpg_bench.csv` holds a row a question: item_id, text, keywords, proposition_id, dependency, category_broad,
category_detailed, tuple, question_natural_language; 1,065 prompts. Four pictures a prompt lie as one 2x2 file,
`<item_id>.png`. The authors' program leaves out the first row, which the parity mode repeats.
"""

from collections.abc import Iterator
from pathlib import Path

from ...scoring.score import Request
from ..case import Case, Place, Reading, Suite, both_releases
from ..prompt_files import Record, find, read_csv

PICTURES = 4
FILE = "dpg_bench.csv"
READER = "mPLUG-large"


def read(folder: Path, reading: Reading) -> list[Case]:
    """All prompts, in the order of their first rows."""
    rows = read_csv(find(folder, FILE, f"dpg_bench/{FILE}"))
    return [
        _case(name, together, reading.seeds(index, PICTURES))
        for index, (name, together) in enumerate(_by_item(rows[1:] if reading.as_authors else rows))
    ]


def _by_item(rows: list[Record]) -> Iterator[tuple[str, list[Record]]]:
    """Rows of one prompt together."""
    items: dict[str, list[Record]] = {}
    for row in rows:
        items.setdefault(row.plain_name("item_id"), []).append(row)
    yield from items.items()


def _case(name: str, rows: list[Record], seeds: tuple[int, ...]) -> Case:
    prompt = rows[0].text("text")
    numbers = [row.integer("proposition_id") for row in rows]
    rules: dict[str, object] = {
        "questions": dict(zip(numbers, (row.text("question_natural_language") for row in rows), strict=True)),
        "parents": dict(zip(numbers, map(_parents, rows), strict=True)),
        "categories": dict(zip(numbers, (row.text("category_broad") for row in rows), strict=True)),
    }
    return Case(
        id=name,
        prompt=prompt,
        request=Request(prompt=prompt, rules=rules),
        seeds=seeds,
        places=tuple(Place(file=f"{name}.png", tile=tile) for tile in range(PICTURES)),
    )


def _parents(row: Record) -> tuple[int, ...]:
    """Numbers of the questions that this one depends on; 0 is none."""
    try:
        return tuple(int(each) for each in row.text("dependency").split(","))
    except ValueError as error:
        raise ValueError(f"{row.where}: dependency {row.fields.get('dependency')!r} is no list of numbers") from error


DPG = Suite(
    name="dpg",
    title="DPG-Bench (arXiv 2403.05135)",
    reads="questions",
    read=read,
    published=both_releases("DPG", READER, base=0.8814, turbo=0.8486),
)
