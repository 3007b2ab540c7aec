"""OneIG-Bench, its text and alignment parts, in English and Chinese (arXiv 2506.07977).

`OneIG-Bench.csv` and `OneIG-Bench-ZH.csv` hold category, id, prompt_en (or prompt_cn), type, prompt_length and class;
what should be written stands in `text_content.csv` (id, text_content), questions about a picture in `Q_D/<class>.json`.
Four pictures a prompt lie as one 2x2 file, `<class>/<model>/<id>.webp`, and one that was not drawn is black. Its
reasoning, style and diversity parts are numbers of other networks and not read here.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...scoring.lettering import ONEIG
from ...scoring.score import Measurement, Request
from ..case import Case, Lettering, Place, Reading, Suite, both_releases
from ..prompt_files import Record, find, read_csv, read_json
from ..totals import Array, ratio

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

ToRequest = Callable[[str, str, str], Request]  # of a class, an id and a prompt


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


def text_suite(language: str, *, base: float, turbo: float) -> Suite:
    """The text part in a language."""
    return Suite(
        name=f"oneig-text{SPECIALS[language].replace('_', '-')}",
        title=f"OneIG-Bench text {language} (arXiv 2506.07977)",
        reads="lettering",
        read=partial(read_text_part, language=language),
        lettering=Lettering(as_authors=(ONEIG,), corrected=(ONEIG,)),
        pooled={ONEIG.name: TextScore(most=MOST_EDITS[language])},
        published=both_releases(ONEIG.name, READER, base=base, turbo=turbo),
    )


def alignment_suite(language: str) -> Suite:
    """The alignment part in a language."""
    return Suite(
        name=f"oneig-alignment{SPECIALS[language].replace('_', '-')}",
        title=f"OneIG-Bench alignment {language} (arXiv 2506.07977)",
        reads="questions",
        read=partial(read_alignment, language=language),
    )


ONEIG_TEXT = text_suite("en", base=0.987, turbo=0.994)
ONEIG_TEXT_ZH = text_suite("zh", base=0.988, turbo=0.982)
ONEIG_ALIGNMENT = alignment_suite("en")
ONEIG_ALIGNMENT_ZH = alignment_suite("zh")
