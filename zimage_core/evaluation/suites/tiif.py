"""TIIF-Bench: one instruction told in short and at length (arXiv 2506.02161).

`test_prompts/` or `testmini_prompts/` hold files of lines {type, short_description, long_description}, one for each
type; the questions of the same line stand in `testmini_eval_prompts/` (yn_question_list, yn_answer_list), which has
the same files under the name `<type>_eval_prompts.jsonl`. A picture is `<type>/<model>/short_description/<line>.png`.
Lines without questions have no number; nor has the text part, whose GNED and recall have no published rule.
"""

from functools import partial
from pathlib import Path

from ...scoring.score import Request
from ..case import Case, Place, Reading, Suite, both_releases
from ..prompt_files import Record, read_lines

PROMPTS = ("testmini_prompts", "test_prompts", "data/testmini_prompts", "data/test_prompts", ".")
READER = "GPT-4o, by the bench's keepers"


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


def _folder(folder: Path) -> Path:
    for name in PROMPTS:
        if any((folder / name).glob("*.jsonl")):
            return folder / name
    raise ValueError(f"{folder} has no testmini_prompts or test_prompts with .jsonl files: choose TIIF's data folder")


def _questions(prompts: Path, file: Path, n: int) -> list[dict[str, object]]:
    """Questions and answers of every line; none where the set has none, as the full one."""
    folder = prompts.with_name(f"{prompts.name.removesuffix('_prompts')}_eval_prompts")
    found = next(iter(folder.glob(f"{file.stem.removesuffix('_prompts')}*.jsonl")), None)
    if found is None:
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


TIIF_SHORT = suite("short", base=0.8020, turbo=0.7773)
TIIF_LONG = suite("long", base=0.8301, turbo=0.8005)
