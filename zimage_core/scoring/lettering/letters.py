"""Rules that count letters: character recall, exact match and the character error rate. Case matters; spaces do not."""

from collections import Counter
from collections.abc import Sequence

from ..score import Measurement, Request
from .edit_distance import edit_distance
from .overlap import shared
from .rule import NOTHING_ASKED, LetteringRule, pooled_mean, pooled_share


def letters(texts: Sequence[str]) -> str:
    """All of them in a row, without white space."""
    return "".join("".join(texts).split())


def character_recall(request: Request, lines: Sequence[str]) -> Measurement:
    """The share of the wanted characters that were read somewhere, each as often as it was."""
    return shared(Counter(letters(request.lettering)), Counter(letters(lines)))


def exact_match(request: Request, lines: Sequence[str]) -> Measurement:
    """1 where every text asked for stands there letter by letter, in any order, and nothing else does; else 0."""
    wanted = sorted(filter(None, (letters([text]) for text in request.lettering)), key=len, reverse=True)
    if not wanted:
        return Measurement.missing(NOTHING_ASKED)
    rest, found = letters(lines), 0
    for text in wanted:  # the longest first, which may contain a shorter one
        before, hit, after = rest.partition(text)
        rest, found = (before + "\n" + after, found + 1) if hit else (rest, found)
    surplus = len(rest.replace("\n", ""))
    parts = {"texts found": found, "texts": len(wanted), "surplus": surplus}
    return Measurement(value=float(found == len(wanted) and not surplus), parts=parts)


def character_error_rate(request: Request, lines: Sequence[str]) -> Measurement:
    """Edits per wanted character, 0 for a perfect text; above 1 where far more was read than asked for."""
    wanted = letters(request.lettering)
    if not wanted:
        return Measurement.missing(NOTHING_ASKED)
    edits = edit_distance(wanted, letters(lines))
    return Measurement(value=edits / len(wanted), parts={"edits": edits, "targets": len(wanted)})


CHARACTER_RECALL = LetteringRule(
    name="character recall", measure=character_recall, pool=pooled_share("matched", "targets")
)
EXACT_MATCH = LetteringRule(name="exact match", measure=exact_match, pool=pooled_mean)
CHARACTER_ERROR_RATE = LetteringRule(
    name="CER", measure=character_error_rate, pool=pooled_share("edits", "targets"), higher_is_better=False
)
