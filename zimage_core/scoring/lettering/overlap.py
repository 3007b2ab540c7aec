"""LongText-Bench's score (X-Omni, arXiv 2507.22058): how much of a text is there, as a multiset, in any order.

English is compared in lower-cased words, Chinese in characters with their case. What is no letter or digit is dropped:
the published scorer keeps ASCII, common Chinese characters and French accents; ours every letter, in one width.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from ..score import Measurement, Request
from .rule import NOTHING_ASKED, LetteringRule, pooled_share

ACCENTED = "àâäéèêëîïôöùûüç"
KEPT = f"\u4e00-\u9fa5a-zA-Z0-9{ACCENTED}{ACCENTED.upper()}"
DROPPED = re.compile(f"[^{KEPT}\\s]")
SIGNS = re.compile(r"[^\w\s]|_")
# What Qwen2.5-VL, the published reader, says beside the text. The published loop starts from the unchanged text for
# each phrase, so only the last one is removed.
READER_PHRASES = ("addCriterion", "No text recognized.")


def published_form(text: str) -> str:
    """A text with the published set of characters."""
    return DROPPED.sub("", text)


def plain_form(text: str) -> str:
    """A text of letters and digits of every script, full-width ones as plain ones."""
    return SIGNS.sub("", unicodedata.normalize("NFKC", text))


def without_phrases(text: str, phrases: Sequence[str]) -> str:
    """A text without what its reader added."""
    for phrase in phrases:
        text = text.replace(phrase, "")
    return text


def units(text: str, language: str) -> Counter[str]:
    """Lower-cased words, or in Chinese the characters that are no spaces, with how often each occurs."""
    return Counter("".join(text.split())) if language == "zh" else Counter(text.lower().split())


def shared(wanted: Counter[str], read: Counter[str]) -> Measurement:
    """The share of the wanted units that were read, each as often as it was."""
    if not wanted:
        return Measurement.missing(NOTHING_ASKED)
    matched = (wanted & read).total()
    return Measurement(value=matched / wanted.total(), parts={"matched": matched, "targets": wanted.total()})


def published_overlap(request: Request, lines: Sequence[str]) -> Measurement:
    """As the published scorer counts."""
    read = published_form(without_phrases(" ".join(lines), READER_PHRASES[-1:]))
    wanted = published_form(" ".join(request.lettering))
    return shared(units(wanted, request.language), units(read, request.language))


def overlap(request: Request, lines: Sequence[str]) -> Measurement:
    """The same with letters of every script, and without anything that the reader added."""
    read = plain_form(without_phrases(" ".join(lines), READER_PHRASES))
    wanted = plain_form(" ".join(request.lettering))
    return shared(units(wanted, request.language), units(read, request.language))


OVERLAP = LetteringRule(name="text overlap", measure=overlap, pool=pooled_share("matched", "targets"))
PUBLISHED_OVERLAP = LetteringRule(
    name="LongText-Bench", measure=published_overlap, pool=pooled_share("matched", "targets")
)
