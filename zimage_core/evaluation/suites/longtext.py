"""LongText-Bench: long texts on signs, pages and slides, in English and Chinese (X-Omni, arXiv 2507.22058).

`text_prompts.jsonl` and `text_prompts_zh.jsonl` hold {category, length, prompt, text, text_length, prompt_id}, 160
prompts each; there are four pictures a prompt, `0000_1.png` to `0000_4.png`, or `0000.png` where there is one.
"""

from functools import partial
from pathlib import Path

from ...scoring.lettering import OVERLAP, PUBLISHED_OVERLAP
from ...scoring.score import Request
from ..case import Case, Lettering, Place, Reading, Suite, both_releases
from ..prompt_files import Record, find, read_lines
from ..totals import Pooled

PICTURES = 4
READER = "Qwen2.5-VL-7B"
FILES = {"en": "text_prompts.jsonl", "zh": "text_prompts_zh.jsonl"}


def read(folder: Path, reading: Reading, language: str) -> list[Case]:
    """The prompts of a language."""
    records = read_lines(find(folder, FILES[language], f"textbench/{FILES[language]}"))
    return [_case(record, language, reading.seeds(index, PICTURES)) for index, record in enumerate(records)]


def _case(record: Record, language: str, seeds: tuple[int, ...]) -> Case:
    name, prompt = f"{record.integer('prompt_id'):04d}", record.text("prompt")
    return Case(
        id=name,
        prompt=prompt,
        request=Request(prompt=prompt, lettering=record.texts("text"), language=language),
        seeds=seeds,
        places=tuple(
            Place(file=f"{name}_{n}.png", others=(f"{name}.png",) if n == 1 else ()) for n in range(1, PICTURES + 1)
        ),
        group=record.text("category"),
    )


def suite(name: str, language: str, *, base: float, turbo: float) -> Suite:
    """The suite of a language."""
    return Suite(
        name=name,
        title=f"LongText-Bench {language} (arXiv 2507.22058)",
        reads="lettering",
        read=partial(read, language=language),
        lettering=Lettering(as_authors=(PUBLISHED_OVERLAP,), corrected=(OVERLAP,)),
        pooled={rule.name: Pooled(found="matched", asked="targets") for rule in (PUBLISHED_OVERLAP, OVERLAP)},
        published=both_releases(PUBLISHED_OVERLAP.name, READER, base=base, turbo=turbo),
    )


LONGTEXT = suite("longtext", "en", base=0.935, turbo=0.917)
LONGTEXT_ZH = suite("longtext-zh", "zh", base=0.936, turbo=0.926)
