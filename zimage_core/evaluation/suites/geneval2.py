"""GenEval 2: three to ten facts of a prompt, each asked of a picture (arXiv 2512.16853).

`geneval2_data.jsonl` holds {prompt, atom_count, vqa_list: [[question, answer]], skills}, 800 prompts, one picture each.
The authors' program reads which picture belongs to a prompt from a JSON file; ours is `image_filepaths.json`.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...scoring.score import Request
from ..case import Case, Place, Reading, Suite
from ..prompt_files import Record, find, read_lines

FILE = "geneval2_data.jsonl"
INDEX = "image_filepaths.json"


def read(folder: Path, reading: Reading) -> list[Case]:
    """All prompts."""
    return [_case(record, index, reading) for index, record in enumerate(read_lines(find(folder, FILE)))]


def _case(record: Record, index: int, reading: Reading) -> Case:
    prompt, name = record.text("prompt"), f"{index:05d}"
    return Case(
        id=name,
        prompt=prompt,
        request=Request(prompt=prompt, rules={**record.fields, **_questions(record)}),
        seeds=reading.seeds(index, 1),
        places=(Place(file=f"{name}.png"),),
        group=f"{record.integer('atom_count')} atoms",
    )


def _questions(record: Record) -> dict[str, object]:
    """Questions and their right answers by number."""
    pairs = record.fields.get("vqa_list")
    if not isinstance(pairs, list) or not pairs or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise ValueError(f"{record.where} has no list vqa_list of questions with their answers")
    numbered = list(enumerate(pairs, 1))
    return {
        "questions": {number: str(question) for number, (question, _) in numbered},
        "answers": {number: str(answer) for number, (_, answer) in numbered},
    }


def index_of_pictures(cases: Sequence[Case]) -> Mapping[str, str]:
    """The file of every prompt's picture, below the folder of pictures."""
    return {INDEX: json.dumps({case.prompt: case.places[0].file for case in cases}, ensure_ascii=False, indent=1)}


GENEVAL2 = Suite(
    name="geneval2",
    title="GenEval 2 (arXiv 2512.16853)",
    reads="questions",
    read=read,
    beside=index_of_pictures,
)
