"""What a round asks of captions in memory, of as many as a person looks through: what they speak of, who says it."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ...han import HAN
from ..captions import bm25, phrase, statistics_of, terms
from ..concepts.phrases import phrases
from .concepts import Concept

LEAST_USES = 2  # captions with a phrase that is taken for a concept
MOST_WORDS = 4  # of a concept; what is longer is a prompt
LEAST_WORDS, LEAST_LETTERS = 2, 3  # of an English one, a Chinese one: a colour or a size by itself is nothing to draw
PLACES = ("corner", "background", "foreground", "side", "left", "right", "top", "bottom", "edge", "middle", "center")
DRAW = "\u753b\u4e00"  # "draw a": what is asked, not what is seen
CHINESE_PLACES = (  # where something is says not what it is; written as numbers, as some tools read sources as cp1252
    "\u65b9",  # side, as in above and below
    "\u8fb9",  # edge
    "\u89d2",  # corner
    "\u592e",  # the last of "middle"
    "\u95f4",  # between
    "\u80cc\u666f",  # background
    "\u524d\u666f",  # foreground
    "\u666f\u4e0a",  # on the background
)

Captions = Mapping[str, Sequence[str]]  # of each picture, by its path


def concepts_in(captions: Iterable[Sequence[str]], most: int) -> list[Concept]:
    """Phrases that several captions use, from the most used to the rarest, evenly over that order if there are more."""
    used = Counter(each for texts in captions for each in {said for text in texts for said in phrases(text)})
    known = [each for each, uses in used.items() if uses >= LEAST_USES and is_something(each)]
    known.sort(key=lambda each: (-used[each], each))
    count = min(most, len(known))
    chosen = [known[number * (len(known) - 1) // max(count - 1, 1)] for number in range(count)]
    return [Concept(name=each, prompts=(each,), words=(each,)) for each in chosen]


def is_something(said: str) -> bool:
    """Whether a phrase can be drawn: at least an adjective and a noun, and no place."""
    if HAN.search(said):
        return len(said) >= LEAST_LETTERS and not said.endswith(CHINESE_PLACES) and not said.startswith(DRAW)
    words = said.split()
    return len(words) >= LEAST_WORDS and words[-1] not in PLACES


def hits_of(
    captions: Captions, concepts: Iterable[Concept], most: int, without: Collection[str] = ()
) -> dict[str, list[dict[str, Any]]]:
    """By text of a concept the pictures whose captions say it, best first by BM25.

    Those that say it as it is, its words side by side, are taken alone where there are any; else those that have all
    of its words; else, of what is longer than a concept's name, those that have most. `without` are no answers.
    """
    said = {path: [term for text in texts for term in terms(text)] for path, texts in captions.items()}
    counts, statistics = {path: Counter(each) for path, each in said.items()}, statistics_of(said.values())
    as_phrases = {path: [phrase(text) for text in texts] for path, texts in captions.items()}
    found = dict[str, list[dict[str, Any]]]()
    for text in {text for each in concepts for text in each.asked}:
        asked, whole = terms(text), phrase(text)
        open_to = [path for path in captions if path not in without]
        exact = [path for path in open_to if any(whole in each for each in as_phrases[path])]
        having_all = [path for path in open_to if all(counts[path][term] for term in asked)]
        nearest = open_to if len(text.split()) > MOST_WORDS else []
        scores = {
            path: bm25(asked, counts[path], len(said[path]), statistics) for path in exact or having_all or nearest
        }
        ranked = sorted((path for path in scores if scores[path] > 0), key=lambda path: (-scores[path], path))
        found[text] = [{"path": path, "score": scores[path]} for path in ranked[:most]]
    return found
