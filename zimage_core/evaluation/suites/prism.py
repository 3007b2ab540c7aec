"""PRISM-Bench: seven tracks of a hundred prompts, judged from 0 to 10 (rongyaofang/prism-bench).

`captions/en/<track>.jsonl` (or `zh`) holds {prompt} a line; one picture a prompt is `<track>/<line>.png`.
"""

from functools import partial
from pathlib import Path

from ...scoring.score import Request
from ..case import Case, Place, Reading, Suite
from ..prompt_files import find, read_lines

TRACKS = ("affection", "composition", "entity", "imagination", "long_text", "style", "text_rendering")


def read(folder: Path, reading: Reading, language: str) -> list[Case]:
    """The prompts of a language, track by track."""
    cases: list[Case] = []
    for track in TRACKS:
        file = find(folder, f"captions/{language}/{track}.jsonl", f"{language}/{track}.jsonl", f"{track}.jsonl")
        for number, line in enumerate(read_lines(file)):
            prompt = line.text("prompt")
            cases.append(
                Case(
                    id=f"{track}/{number}",
                    prompt=prompt,
                    request=Request(prompt=prompt, language=language, rules={"track": track}),
                    seeds=reading.seeds(len(cases), 1),
                    places=(Place(file=f"{track}/{number}.png"),),
                    group=track,
                )
            )
    return cases


def suite(name: str, language: str) -> Suite:
    """The suite of a language."""
    return Suite(
        name=name,
        title=f"PRISM-Bench {language} (rongyaofang/prism-bench)",
        reads="impression",
        read=partial(read, language=language),
    )


PRISM = suite("prism", "en")
PRISM_ZH = suite("prism-zh", "zh")
