"""What a caption may not be: another language, far too long or short, without its lettering, or talk about itself."""

import re
from collections.abc import Sequence

from ...han import HAN
from ..answer_checks import NAMES, bare, language_of, unquoted
from ..chat import END_THINK, THINK

LENGTHS = {  # words in English, characters in Chinese; tags in both
    "en": {
        "tags": (8, 20),
        "short": (5, 15),
        "medium": (40, 70),
        "long": (120, 200),
        "user": (2, 25),
        "difference": (4, 40),
    },
    "zh": {
        "tags": (8, 20),
        "short": (8, 25),
        "medium": (60, 110),
        "long": (180, 320),
        "user": (3, 40),
        "difference": (5, 60),
    },
}
SLACK = 2  # times shorter or longer than asked is no fault yet
COMMA = re.compile("[,\uff0c\u3001]")
ITEM = re.compile(r"\s*(?:[-*\u2022]|[0-9]+[.)])\s+")  # of a list
EMPHASIS = re.compile(r"\*\*|__")
REFUSAL = re.compile(
    r"\A(?:i'm sorry|i am sorry|sorry,|i can(?:no|')t|i am unable|as an ai)|\A(?:\u62b1\u6b49|\u5bf9\u4e0d\u8d77)", re.I
)


def cleaned(answer: str) -> str:
    """An answer as one paragraph without what models put around one; items of a list, a line each, by commas."""
    items = [ITEM.sub("", line).strip() for line in answer.splitlines() if ITEM.match(line)]
    return bare(", ".join(items) if len(items) > 1 else EMPHASIS.sub("", answer), "")


def find_faults(text: str, kind: str, language: str, lettering: Sequence[str] = ()) -> list[str]:
    """What makes a caption unfit, a sentence each."""
    if not text:
        return ["nothing was answered"]
    if REFUSAL.match(text):
        return ["it talks about itself instead of the picture"]
    faults = [f'the text "{line}" is missing' for line in lettering if line not in text]
    if THINK in text or END_THINK in text:
        faults.append("a thought stands in it")
    if (found := language_of(unquoted(text))) != language:
        faults.append(f"it is written in {NAMES[found]}")
    return faults + length_faults(text, kind, language)


def length_faults(text: str, kind: str, language: str) -> list[str]:
    """Whether a text is more than twice as long or short as was asked."""
    count, unit = size_of(text, kind, language)
    low, high = LENGTHS[language][kind]
    if low <= count * SLACK and count <= high * SLACK:
        return []
    return [f"it has {count} {unit}, where {low} to {high} were asked for"]


def size_of(text: str, kind: str, language: str) -> tuple[int, str]:
    """How much was written, and of what."""
    if kind == "tags":
        return len([tag for tag in COMMA.split(text) if tag.strip()]), "tags"
    return (len(HAN.findall(text)), "characters") if language == "zh" else (len(text.split()), "words")
