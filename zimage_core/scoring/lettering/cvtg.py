"""CVTG-2K's word accuracy and NED (TextCrafter, arXiv 2503.23461), as its scorer counts and without its two slips.

The scorer takes its targets from the prompt: every span between single quotes, lower-cased, split at spaces. So an
apostrophe inside a text ends the span, and what is left of the text is lost or something else is counted. And the
closest read word of NED is the one that difflib likes best, which need not be the one with the fewest edits.
"""

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches

from ..score import Measurement, Request
from .edit_distance import similarity
from .rule import NOTHING_ASKED, LetteringRule, pooled_share

QUOTED = re.compile("'(.*?)'")
QUOTED_TEXT = re.compile(r"(?<!\w)'(.+?)'(?!\w)")  # an apostrophe between letters opens and closes nothing
APOSTROPHES = str.maketrans("\u2018\u2019\u02bc\uff07", "''''")


def published_targets(request: Request) -> list[str]:
    """The words that the published scorer looks for."""
    return [word for text in QUOTED.findall(request.prompt) for word in text.lower().split()]


def target_words(request: Request) -> list[str]:
    """The words of the texts asked for, or of the prompt's quoted texts; an apostrophe is a letter of its word."""
    texts = request.lettering or QUOTED_TEXT.findall(request.prompt.translate(APOSTROPHES))
    return [word for text in texts for word in text.translate(APOSTROPHES).lower().split()]


def published_read_words(lines: Sequence[str]) -> list[str]:
    """Every line lower-cased and split; an empty word where nothing was read."""
    return [word for line in lines for word in line.lower().split()] or [""]


def read_words(lines: Sequence[str]) -> list[str]:
    """The same with one kind of apostrophe."""
    return published_read_words([line.translate(APOSTROPHES) for line in lines])


def likest(word: str, words: Sequence[str]) -> float:
    """Similarity to the word that difflib finds closest."""
    return similarity(word, get_close_matches(word, words, n=1, cutoff=0)[0])


def nearest(word: str, words: Sequence[str]) -> float:
    """Similarity to the word with the fewest edits for its length."""
    return max(similarity(word, each) for each in words)


def compared(
    targets: Sequence[str], read: Sequence[str], closeness: Callable[[str, Sequence[str]], float]
) -> Measurement:
    """Accuracy: targets that occur among the read words, however often and in any order. NED: their mean closeness."""
    if not targets:
        return Measurement.missing(NOTHING_ASKED)
    known = set(read)
    found = sum(word in known for word in targets)
    alike = sum(closeness(word, read) for word in targets)
    parts = {"found": found, "words": len(targets), "similarity": alike, "NED": alike / len(targets)}
    return Measurement(value=found / len(targets), parts=parts)


def published_word_accuracy(request: Request, lines: Sequence[str]) -> Measurement:
    """Word accuracy with NED among its parts, quirks included: for a column beside published figures."""
    return compared(published_targets(request), published_read_words(lines), likest)


def word_accuracy(request: Request, lines: Sequence[str]) -> Measurement:
    """Word accuracy with NED among its parts, in which apostrophes belong to words."""
    return compared(target_words(request), read_words(lines), nearest)


def as_ned(measurement: Measurement) -> Measurement:
    """The same comparison with NED as its number."""
    return (
        measurement
        if measurement.value is None
        else Measurement(value=measurement.parts["NED"], parts=measurement.parts)
    )


WORD_ACCURACY = LetteringRule(name="word accuracy", measure=word_accuracy, pool=pooled_share("found", "words"))
PUBLISHED_WORD_ACCURACY = LetteringRule(
    name="CVTG-2K word accuracy", measure=published_word_accuracy, pool=pooled_share("found", "words")
)
NED = LetteringRule(
    name="NED",
    measure=lambda request, lines: as_ned(word_accuracy(request, lines)),
    pool=pooled_share("similarity", "words"),
)
PUBLISHED_NED = LetteringRule(
    name="CVTG-2K NED",
    measure=lambda request, lines: as_ned(published_word_accuracy(request, lines)),
    pool=pooled_share("similarity", "words"),
)
