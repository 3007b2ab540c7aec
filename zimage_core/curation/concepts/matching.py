"""Which concepts a caption speaks of: the longest known words, in English by their base form."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...han import HAN
from .function_words import ENGLISH
from .graph import ConceptGraph

TOKEN = re.compile(r"[a-z0-9]+(?:['-][a-z0-9]+)*")
# WordNet's rules for nouns (morphy(7WN)): ending, and what stands for it in the base form.
ENDINGS = (
    ("s", ""),
    ("ses", "s"),
    ("xes", "x"),
    ("zes", "z"),
    ("ches", "ch"),
    ("shes", "sh"),
    ("men", "man"),
    ("ies", "y"),
)
LEAST_STEM = 2  # letters: "is" is no plural


@dataclass(frozen=True)
class Lexicon:
    """Words with the concept that is meant by them."""

    english: Mapping[str, int]
    chinese: Mapping[str, int]
    unlikely: Collection[str]  # never by themselves a noun
    most_words: Mapping[str, int]  # of an English name that begins with a word, where they are several
    most_letters: int  # of a Chinese one


def lexicon_of(graph: ConceptGraph, above: Any) -> Lexicon:
    """Each word with what is meant by it; `above` (n n) is True from a concept to all above it."""
    english, chinese = dict[str, int](), dict[str, int]()
    for word, senses in graph.senses.items():
        (chinese if HAN.search(word) else english)[normal(word)] = most_likely(word, senses, graph, above)
    return Lexicon(
        english,
        chinese,
        graph.unlikely,
        most_words(english),
        max(map(len, chinese), default=0),
    )


def most_words(names: Iterable[str]) -> dict[str, int]:
    """How many words the longest name has that begins with a word."""
    found = dict[str, int]()
    for words in (name.split(" ") for name in names if " " in name):
        found[words[0]] = max(found.get(words[0], 1), len(words))
    return found


def most_likely(word: str, senses: Sequence[int], graph: ConceptGraph, above: Any) -> int:
    """The first sense; before it one that is no name, and of several words one that is a kind of what they end with.

    A red fox is a fox first, then the plant of that name.
    """
    heads = set(graph.senses.get(word.rpartition(" ")[2], ())) if " " in word else set[int]()

    def doubts(sense: int) -> tuple[bool, bool]:
        is_kind = bool(heads.intersection(above.indices[above.indptr[sense] : above.indptr[sense + 1]].tolist()))
        return graph.concepts[sense].is_name, not is_kind

    return senses[0] if len(senses) == 1 else min(senses, key=doubts)


def normal(text: str) -> str:
    """In lower case, letters of full width as plain ones."""
    return unicodedata.normalize("NFKC", text).lower()


def mentions(caption: str, lexicon: Lexicon) -> list[int]:
    """The concepts of a caption, each once, ascending."""
    text = normal(caption)
    return sorted({*english_mentions(text, lexicon), *chinese_mentions(text, lexicon)})


def english_mentions(text: str, lexicon: Lexicon) -> Iterator[int]:
    """From left to right the longest run of words that is known, and on behind it."""
    tokens = TOKEN.findall(text)
    first = 0
    while first < len(tokens):
        found, length = None, 1
        for length in range(min(lexicon.most_words.get(tokens[first], 1), len(tokens) - first), 0, -1):
            found = english_concept(" ".join(tokens[first : first + length]), lexicon)
            if found is not None:
                yield found
                break
        first += 1 if found is None else length


def english_concept(words: str, lexicon: Lexicon) -> int | None:
    """What a run of words means; alone, function words and words that are mostly no nouns mean nothing."""
    for form in base_forms(words):
        if " " not in words and (form in ENGLISH or form in lexicon.unlikely):
            return None
        if form in lexicon.english:
            return lexicon.english[form]
    return None


def base_forms(words: str) -> Iterator[str]:
    """The words themselves, then with the last one in the singular."""
    yield words
    for ending, instead in ENDINGS:
        if words.endswith(ending) and len(words) - len(ending) >= LEAST_STEM:
            yield words[: -len(ending)] + instead


def chinese_mentions(text: str, lexicon: Lexicon) -> Iterator[int]:
    """From left to right the longest known word, the usual way to find words where no spaces are."""
    first = 0
    while first < len(text):
        length = 1
        if HAN.match(text[first]):
            longest = range(min(lexicon.most_letters, len(text) - first), 0, -1)
            length = next((each for each in longest if text[first : first + each] in lexicon.chinese), 0)
            if length:
                yield lexicon.chinese[text[first : first + length]]
        first += max(length, 1)
