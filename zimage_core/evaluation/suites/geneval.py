"""GenEval: objects, counts, colours and positions by a detector (arXiv 2310.11513).

`evaluation_metadata.jsonl` holds {tag, include: [{class, count, color, position}], exclude, prompt}, 553 prompts of six
tags; there are four pictures a prompt, `00000/samples/0000.png`, and `00000/metadata.jsonl` with the prompt's line.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...scoring.score import Request
from ..case import Case, Place, Reading, Suite, both_releases
from ..prompt_files import Record, find, read_lines
from ..totals import MeanOfGroups

PICTURES = 4
FILE = "evaluation_metadata.jsonl"
TAGS = ("single_object", "two_object", "counting", "colors", "position", "color_attr")
READER = "Mask2Former"


def read(folder: Path, reading: Reading) -> list[Case]:
    """All prompts."""
    records = read_lines(find(folder, FILE, f"prompts/{FILE}"))
    return [case_of(record, index, reading) for index, record in enumerate(records)]


def case_of(record: Record, index: int, reading: Reading, pictures: int = PICTURES) -> Case:
    """The case of one line, which is also what its pictures are measured against."""
    tag, prompt = record.text("tag"), record.text("prompt")
    if tag not in TAGS:
        raise ValueError(f"{record.where}: there is no tag {tag!r}; the six are {', '.join(TAGS)}")
    if not isinstance(record.fields.get("include"), list):
        raise ValueError(f"{record.where} has no list include of the objects to see")
    folder = f"{index:05d}"
    return Case(
        id=folder,
        prompt=prompt,
        request=Request(prompt=prompt, rules=record.fields),
        seeds=reading.seeds(index, pictures),
        places=tuple(
            Place(file=f"{folder}/samples/{n:04d}.png", others=(f"{folder}/samples/{n:05d}.png",))
            for n in range(pictures)
        ),
        group=tag,
    )


def metadata(cases: Sequence[Case]) -> Mapping[str, str]:
    """The line of each prompt in its folder, where the authors' program looks for it."""
    return {f"{case.id}/metadata.jsonl": json.dumps(dict(case.request.rules), ensure_ascii=False) for case in cases}


GENEVAL = Suite(
    name="geneval",
    title="GenEval (arXiv 2310.11513)",
    reads="objects",
    read=read,
    totals=MeanOfGroups(groups=TAGS),
    published=both_releases("GenEval", READER, base=0.84, turbo=0.82),
    beside=metadata,
)
