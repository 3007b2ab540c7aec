"""How many captions speak of each concept: its words side by side in one of a picture's captions.

Chinese has no spaces: a Chinese word inside a longer one of another concept (red in pink) is not that concept.
"""

from collections.abc import Iterable, Sequence

from ...han import HAN
from ..captions import phrase
from .concepts import Concept


def coverage_of(concepts: Sequence[Concept], captions: Iterable[Sequence[str]]) -> tuple[dict[str, int], int]:
    """Pictures by the concept that their captions speak of, and how many pictures have captions."""
    words = [(phrase(word), each.name) for each in concepts for word in each.words]
    words.sort(key=lambda word: -len(word[0]))
    found, count = dict.fromkeys((each.name for each in concepts), 0), 0
    for texts in captions:
        count += bool(texts)
        for name in {name for text in texts for name in said_in(phrase(text), words)}:
            found[name] += 1
    return found, count


def said_in(text: str, words: Sequence[tuple[str, str]]) -> set[str]:
    """The concepts in a phrase; longer words come first, and what a Chinese one has taken is read no more."""
    found = set[str]()
    for word, name in words:
        if word in text:
            found.add(name)
            text = text.replace(word, " | ") if HAN.search(word) else text
    return found
