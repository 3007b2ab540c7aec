"""OneIG-Bench's five parts, in English and Chinese (arXiv 2506.07977).

`OneIG-Bench.csv` and `OneIG-Bench-ZH.csv` hold category, id, prompt_en (or prompt_cn), type, prompt_length and class.
Besides there are `text_content.csv` (id, text_content: what should be written), `Q_D/<class>.json` (questions),
`gt_answer.json` (by id: what a picture of the reasoning part should show) and `style.csv` (id, class: a style). Four
pictures a prompt lie as one 2x2 file, `<class>/<model>/<id>.webp`, and one that was not drawn is black.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...scoring.lettering import ONEIG
from ...scoring.score import Measurement, Request
from ..case import Case, Lettering, Place, Published, Reading, Suite, both_releases
from ..prompt_files import Record, find, read_csv, read_json
from ..totals import Array, MeanOfPrompts, ratio

PICTURES = 4
READER = "Qwen2.5-VL-7B"
SPECIALS = {"en": "", "zh": "_zh"}  # what names of files end with
TABLES = {"en": "OneIG-Bench.csv", "zh": "OneIG-Bench-ZH.csv"}
MOST_EDITS = {"en": 100, "zh": 50}
FOLDERS = {
    "anime": "anime",
    "portrait": "human",
    "general": "object",
    "text": "text",
    "knowledge": "reasoning",
    "multilingualism": "multilingualism",
}
ALIGNED = {"en": ("anime", "human", "object"), "zh": ("anime", "human", "object", "multilingualism")}
EVERY_KIND = {"en": (*ALIGNED["en"], "text", "reasoning"), "zh": (*ALIGNED["zh"], "text", "reasoning")}
DIVERSITIES = {"SD1.5": 0.429, "SDXL": 0.296, "FLUX.1-dev": 0.238, "Qwen-Image": 0.179}

ToRequest = Callable[[str, str, str], Request]  # of a class, an id and a prompt
ReadPart = Callable[[Path, Reading, str], list[Case]]  # of a folder, in a language


@dataclass(frozen=True, kw_only=True)
class TextScore:
    """1 - min(M, ED) (1 - CR) (1 - WAC) / M: mean edits ED, part of exact pictures CR, pooled recall of words WAC."""

    most: int  # M

    def terms(self, measured: Sequence[Measurement], group: str) -> list[float]:
        """Sums of edits, exact pictures, pictures, words found and words asked for."""
        parts = [each.parts for each in measured if each.value is not None]
        edits, exact, found, asked = (
            float(sum(each[name] for each in parts)) for name in ("edits", "exact", "matched", "targets")
        )
        return [edits, exact, float(len(parts)), found, asked]

    def total(self, sums: Array) -> Array:
        """The score of the sums."""
        edits, exact, n, found, asked = np.moveaxis(sums, -1, 0)
        distance = np.minimum(ratio(edits, n), self.most) / self.most
        return np.asarray(1 - distance * (1 - ratio(exact, n)) * (1 - ratio(found, asked)))


def read_text_part(folder: Path, reading: Reading, language: str) -> list[Case]:
    """The prompts with a text."""
    name = f"text_content{SPECIALS[language]}.csv"
    rows = read_csv(find(folder, name, f"scripts/text/{name}"))
    texts = {row.text("id"): row.text("text_content") for row in rows}

    def request(kind: str, number: str, prompt: str) -> Request:
        if number not in texts:
            raise ValueError(f"{name} has no text for the picture {number}")
        return Request(prompt=prompt, lettering=(texts[number],), language=language)

    return _cases(folder, reading, language, ("text",), request)


def read_alignment(folder: Path, reading: Reading, language: str) -> list[Case]:
    """The prompts with questions."""
    asked: dict[str, Mapping[str, Any]] = {}
    for kind in ALIGNED[language]:
        name = f"Q_D/{kind}{SPECIALS[language]}.json"
        asked[kind] = read_json(find(folder, name, f"scripts/alignment/{name}"))

    def request(kind: str, number: str, prompt: str) -> Request:
        return Request(prompt=prompt, language=language, rules=_questions(asked[kind], kind, number))

    return _cases(folder, reading, language, ALIGNED[language], request)


def _questions(asked: Mapping[str, Any], kind: str, number: str) -> dict[str, object]:
    """Questions by number, and the numbers of each one's parents, of whom 0 is none."""
    try:
        questions, parents = (_unpacked(asked[number][name]) for name in ("question", "dependency"))
        return {
            "questions": {int(key): str(text) for key, text in questions.items() if text is not None},
            "parents": {int(key): tuple(map(int, each)) for key, each in parents.items() if each is not None},
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"Q_D/{kind}: the questions of {number} cannot be read ({error})") from error


def _unpacked(found: Any) -> Any:
    """The questions are JSON inside JSON in some files."""
    return json.loads(found) if isinstance(found, str) else found


def read_diversity(folder: Path, reading: Reading, language: str) -> list[Case]:
    """All prompts."""
    return _cases(
        folder, reading, language, EVERY_KIND[language], lambda _kind, _number, prompt: Request(prompt=prompt)
    )


def read_reasoning(folder: Path, reading: Reading, language: str) -> list[Case]:
    """The prompts whose pictures need knowledge; what is asked of a picture is the written answer."""
    name = f"gt_answer{SPECIALS[language]}.json"
    answers = read_json(find(folder, name, f"scripts/reasoning/{name}"))

    def request(kind: str, number: str, prompt: str) -> Request:
        answer = answers.get(number) if isinstance(answers, dict) else None
        if not isinstance(answer, str):
            raise ValueError(f"{name} has no answer for the picture {number}")
        return Request(prompt=answer, language=language, rules={"reference": number})

    return _cases(folder, reading, language, ("reasoning",), request)


def read_style(folder: Path, reading: Reading, language: str) -> list[Case]:
    """The prompts that ask for a style, by style."""
    rows = read_csv(find(folder, "style.csv", "scripts/style/style.csv"))
    styles = {str(row.fields.get("id")): str(row.fields.get("class") or "").strip() for row in rows}
    names = {number: style.lower().replace(" ", "_") for number, style in styles.items() if style}
    cases = _cases(
        folder,
        reading,
        language,
        ("anime",),
        lambda _kind, number, prompt: Request(prompt=prompt, rules={"reference": names.get(number, "")}),
    )
    styled = [(case, str(case.request.rules["reference"])) for case in cases]
    return [replace(case, group=style) for case, style in styled if style]


def _cases(folder: Path, reading: Reading, language: str, kinds: tuple[str, ...], request: ToRequest) -> list[Case]:
    cases: list[Case] = []
    for record in read_csv(find(folder, TABLES[language])):
        kind = _folder_of(record)
        if kind in kinds:
            number, prompt = record.plain_name("id"), record.text("prompt_en", "prompt_cn", "prompt_zh", "prompt")
            file = f"{kind}/{reading.name}/{number}.webp"
            places = tuple(Place(file=file, tile=tile, black_is_missing=True) for tile in range(PICTURES))
            cases.append(
                Case(
                    id=f"{kind}/{number}",
                    prompt=prompt,
                    request=request(kind, number, prompt),
                    seeds=reading.seeds(len(cases), PICTURES),
                    places=places,
                    group=kind,
                )
            )
    return cases


def _folder_of(record: Record) -> str:
    category = record.text("category").lower()
    for word, folder in FOLDERS.items():
        if category.startswith(word):
            return folder
    raise ValueError(f"{record.where}: {category!r} is no category of OneIG-Bench")


def suite(part: str, language: str, read: ReadPart, **how: Any) -> Suite:
    """One part in a language; `how` are the suite's other fields."""
    return Suite(
        name=f"oneig-{part}{SPECIALS[language].replace('_', '-')}",
        title=f"OneIG-Bench {part} {language} (arXiv 2506.07977)",
        read=lambda folder, reading: read(folder, reading, language),
        **how,
    )


def text_suite(language: str, *, base: float, turbo: float) -> Suite:
    """The text part."""
    return suite(
        "text",
        language,
        read_text_part,
        reads="lettering",
        lettering=Lettering(as_authors=(ONEIG,), corrected=(ONEIG,)),
        pooled={ONEIG.name: TextScore(most=MOST_EDITS[language])},
        published=both_releases(ONEIG.name, READER, base=base, turbo=turbo),
    )


def alignment_suite(language: str) -> Suite:
    """The alignment part."""
    return suite("alignment", language, read_alignment, reads="questions")


def diversity_suite(language: str, diversities: Mapping[str, float]) -> Suite:
    """How much pictures of one prompt differ; `diversities` are published ones by model."""
    published = [
        Published(model=model, value=value, metric="diversity", reader="DreamSim", source="OneIG-Bench")
        for model, value in diversities.items()
    ]
    return suite(
        "diversity", language, read_diversity, reads="diversity", totals=MeanOfPrompts(), published=tuple(published)
    )


def reasoning_suite(language: str) -> Suite:
    """The reasoning part."""
    return suite("reasoning", language, read_reasoning, reads="answer", totals=MeanOfPrompts())


def style_suite(language: str) -> Suite:
    """The style part."""
    return suite("style", language, read_style, reads="style", totals=MeanOfPrompts())


ONEIG_TEXT = text_suite("en", base=0.987, turbo=0.994)
ONEIG_TEXT_ZH = text_suite("zh", base=0.988, turbo=0.982)
ONEIG_ALIGNMENT = alignment_suite("en")
ONEIG_ALIGNMENT_ZH = alignment_suite("zh")
ONEIG_DIVERSITY = diversity_suite("en", DIVERSITIES)
ONEIG_DIVERSITY_ZH = diversity_suite("zh", {})
ONEIG_REASONING = reasoning_suite("en")
ONEIG_REASONING_ZH = reasoning_suite("zh")
ONEIG_STYLE = style_suite("en")
ONEIG_STYLE_ZH = style_suite("zh")
