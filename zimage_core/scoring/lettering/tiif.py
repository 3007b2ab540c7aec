"""TIIF-Bench's text part (arXiv 2506.02161): GNED and recall over single words, as its scorer counts and corrected.

GNED pairs the words read with those asked for so that the edits are fewest, each pair by its edits per letter of the
longer word; a word without a partner costs 1, and the sum is divided by the larger number of words: 0 is perfect.
Recall is the share of the words asked for that have a partner with at most 0.3 edits a letter. Case does not count.

The scorer splits read lines at every single space but leaves the words asked for whole, takes nothing read for one
empty word, and gives a word asked for the first partner that will do, though a later one may then have none.
"""

from collections.abc import Sequence

from ..score import Measurement, Request
from .assignment import least_cost
from .edit_distance import edit_distance
from .rule import NOTHING_ASKED, LetteringRule, pooled_mean

NEAR = 0.3  # edits per letter of the longer word, up to which a word counts as found


def published_words(lines: Sequence[str]) -> list[str]:
    """What the published scorer compares: lines in lower case, split at every space."""
    return [word for line in lines or [""] for word in line.lower().split(" ")]


def words(texts: Sequence[str]) -> list[str]:
    """All words in lower case."""
    return [word for text in texts for word in text.lower().split()]


def edits_a_letter(one: str, other: str) -> float:
    """0 for equal words, 1 for those that share nothing."""
    return edit_distance(one, other) / max(len(one), len(other), 1)


def gned(wanted: Sequence[str], read: Sequence[str]) -> Measurement:
    """The cheapest pairs and one for each word that is left over, a word."""
    if not wanted:
        return Measurement.missing(NOTHING_ASKED)
    paired = least_cost([[edits_a_letter(each, word) for word in read] for each in wanted])
    cost, most = paired + abs(len(wanted) - len(read)), max(len(wanted), len(read))
    return Measurement(value=cost / most, parts={"cost": cost, "words": len(wanted), "read": len(read)})


def first_partners(wanted: Sequence[str], read: Sequence[str]) -> int:
    """How many words find one that is near and still free, in their order."""
    free, found = list(read), 0
    for each in wanted:
        near = next((i for i, word in enumerate(free) if edits_a_letter(each, word) <= NEAR), None)
        if near is not None:
            found += 1
            del free[near]
    return found


def most_partners(wanted: Sequence[str], read: Sequence[str]) -> int:
    """How many can have one that is near, each its own."""
    far = [[float(edits_a_letter(each, word) > NEAR) for word in read] for each in wanted]
    return min(len(wanted), len(read)) - round(least_cost(far))


def share(found: int, wanted: Sequence[str]) -> Measurement:
    """The part of the words asked for that was found."""
    if not wanted:
        return Measurement.missing(NOTHING_ASKED)
    return Measurement(value=found / len(wanted), parts={"found": found, "words": len(wanted)})


def published_recall(request: Request, lines: Sequence[str]) -> Measurement:
    """Recall as the published scorer counts."""
    wanted = [text.lower() for text in request.lettering]
    return share(first_partners(wanted, published_words(lines)), wanted)


def word_recall(request: Request, lines: Sequence[str]) -> Measurement:
    """Recall by the pairs that serve most words."""
    wanted = words(request.lettering)
    return share(most_partners(wanted, words(lines)), wanted)


GNED = LetteringRule(
    name="GNED",
    measure=lambda request, lines: gned(words(request.lettering), words(lines)),
    pool=pooled_mean,
    higher_is_better=False,
)
PUBLISHED_GNED = LetteringRule(
    name="TIIF GNED",
    measure=lambda request, lines: gned([text.lower() for text in request.lettering], published_words(lines)),
    pool=pooled_mean,
    higher_is_better=False,
)
WORD_RECALL = LetteringRule(name="word recall", measure=word_recall, pool=pooled_mean)
PUBLISHED_RECALL = LetteringRule(name="TIIF recall", measure=published_recall, pool=pooled_mean)
