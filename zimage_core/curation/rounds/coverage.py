"""How many captions speak of each concept: its words side by side in one of a picture's captions."""

from collections.abc import Iterable, Sequence

from ..captions import phrase
from .concepts import Concept


def coverage_of(concepts: Sequence[Concept], captions: Iterable[Sequence[str]]) -> tuple[dict[str, int], int]:
    """Pictures by the concept that their captions speak of, and how many pictures have captions."""
    phrases = {each.name: [phrase(word) for word in each.words] for each in concepts}
    found, count = dict.fromkeys(phrases, 0), 0
    for texts in captions:
        said = [phrase(text) for text in texts]
        count += bool(said)
        for name, words in phrases.items():
            found[name] += any(word in text for word in words for text in said)
    return found, count
