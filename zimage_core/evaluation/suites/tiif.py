"""TIIF-Bench: one instruction told in short and at length (arXiv 2506.02161).

`test_prompts/` or `testmini_prompts/` hold files of lines {type, short_description, long_description}, one for each
type; the questions of the same line stand in `test_eval_prompts/` or `testmini_eval_prompts/` (yn_question_list,
yn_answer_list), which have the same files under the name `<type>_eval_prompts.jsonl`. A picture is
`<type>/<model>/short_description/<line>.png`. Lines without questions have no number. The text part asks for the words
that its questions quote ("Is the text 'tea' in the image?"), else for those in double quotes in the short prompt.
"""

import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ...scoring.lettering import GNED, PUBLISHED_GNED, PUBLISHED_RECALL, WORD_RECALL
from ...scoring.score import Request
from ..case import Case, Lettering, Place, Reading, Suite, both_releases
from ..prompt_files import Record, read_lines

PROMPTS = ("testmini_prompts", "test_prompts", "data/testmini_prompts", "data/test_prompts", ".")
READER = "GPT-4o, by the bench's keepers"
TEXT = "text"  # the type whose pictures show words
ASKED_WORD = re.compile("'(.+)'")
QUOTED_WORD = re.compile('"(.+?)"')


def read(folder: Path, reading: Reading, length: str) -> list[Case]:
    """The prompts of a length, "short" or "long", type by type."""
    prompts = _folder(folder)
    cases: list[Case] = []
    for file in sorted(prompts.glob("*.jsonl")):
        lines = read_lines(file)
        asked = _questions(prompts, file, len(lines))
        for number, (line, rules) in enumerate(zip(lines, asked, strict=True)):
            cases.append(_case(line, number, rules, f"{length}_description", reading, len(cases)))
    return cases


def read_text_part(folder: Path, reading: Reading, length: str) -> list[Case]:
    """The prompts with words to be read, under the places and seeds that they have among all."""
    short = [case for case in read(folder, reading, "short") if case.group == TEXT]
    cases = [case for case in read(folder, reading, length) if case.group == TEXT]
    return [
        replace(case, request=Request(prompt=case.prompt, lettering=_words(told)), group="")
        for case, told in zip(cases, short, strict=True)
    ]


def _words(case: Case) -> tuple[str, ...]:
    """The words that a picture should show, by a prompt told in short and its questions."""
    questions: Any = case.request.rules.get("questions", {})
    asked = [found[1] for question in questions.values() if (found := ASKED_WORD.search(question))]
    return tuple(asked or QUOTED_WORD.findall(case.prompt))


def _folder(folder: Path) -> Path:
    for name in PROMPTS:
        if any((folder / name).glob("*.jsonl")):
            return folder / name
    raise ValueError(f"{folder} has no testmini_prompts or test_prompts with .jsonl files: choose TIIF's data folder")


def _questions(prompts: Path, file: Path, n: int) -> list[dict[str, object]]:
    """Questions and answers of every line; none where the set has none, as the full one."""
    folder = prompts.with_name(f"{prompts.name.removesuffix('_prompts')}_eval_prompts")
    found = folder / f"{file.stem.removesuffix('_prompts')}_eval_prompts.jsonl"
    if not found.exists():
        return [{} for _ in range(n)]
    lines = read_lines(found)
    if len(lines) != n:
        raise ValueError(f"{found} has {len(lines)} lines, but {file.name} has {n}: they must belong together")
    return [_asked(line) for line in lines]


def _asked(line: Record) -> dict[str, object]:
    if "yn_question_list" not in line.fields:
        return {}
    return {
        "questions": dict(enumerate(line.texts("yn_question_list"), 1)),
        "answers": dict(enumerate(line.texts("yn_answer_list"), 1)),
    }


def _case(line: Record, number: int, rules: dict[str, object], length: str, reading: Reading, index: int) -> Case:
    kind, prompt = line.plain_name("type"), line.text(length)
    return Case(
        id=f"{kind}/{number}",
        prompt=prompt,
        request=Request(prompt=prompt, rules=rules),
        seeds=reading.seeds(index, 1),
        places=(Place(file=f"{kind}/{reading.name}/{length}/{number}.png"),),
        group=kind,
    )


def suite(length: str, *, base: float, turbo: float) -> Suite:
    """The suite of a length."""
    return Suite(
        name=f"tiif-{length}",
        title=f"TIIF-Bench {length} (arXiv 2506.02161)",
        reads="questions",
        read=partial(read, length=length),
        published=both_releases("TIIF", READER, base=base, turbo=turbo, by="the bench's keepers"),
    )


def text_suite(length: str) -> Suite:
    """The text part of a length."""
    return Suite(
        name=f"tiif-text-{length}",
        title=f"TIIF-Bench text {length} (arXiv 2506.02161)",
        reads="lettering",
        read=partial(read_text_part, length=length),
        lettering=Lettering(as_authors=(PUBLISHED_GNED, PUBLISHED_RECALL), corrected=(GNED, WORD_RECALL)),
    )


TIIF_SHORT = suite("short", base=0.8020, turbo=0.7773)
TIIF_LONG = suite("long", base=0.8301, turbo=0.8005)
TIIF_TEXT_SHORT = text_suite("short")
TIIF_TEXT_LONG = text_suite("long")
