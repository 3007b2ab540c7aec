"""WordNet's database files (wndb(5WN)): `data.noun`, `index.noun`, and beside them `noun.exc` and `cntlist.rev`.

Debian has them in the package wordnet-base, under /usr/share/wordnet.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .graph import Concept, ConceptGraph, edges_of
from .text_lines import lines_of

HYPERNYM, INSTANCE = "@", "@i"
# lexnames(5WN), from file 3 on: those of nouns.
KINDS = (
    "Tops",
    "act",
    "animal",
    "artifact",
    "attribute",
    "body",
    "cognition",
    "communication",
    "event",
    "feeling",
    "food",
    "group",
    "location",
    "motive",
    "object",
    "person",
    "phenomenon",
    "plant",
    "possession",
    "process",
    "quantity",
    "relation",
    "shape",
    "state",
    "substance",
    "time",
)
FIRST_KIND = 3
NOUN = "1"  # ss_type in a sense key
LEAST_TAGGED = 5  # places that tell how a word is used


class Synset(NamedTuple):
    """A line of data.noun."""

    offset: str
    words: tuple[str, ...]
    kind: str
    pointers: tuple[tuple[str, str], ...]  # symbol, offset; to nouns alone


def read_wordnet(folder: Path) -> ConceptGraph:
    """All noun synsets; the id is the first word with the number of its sense: dog.n.01."""
    for name in ("data.noun", "index.noun"):
        if not (folder / name).is_file():
            raise ValueError(
                f"{folder} holds no {name}: give the folder of WordNet's files, such as /usr/share/wordnet of Debian's "
                "package wordnet-base"
            )
    synsets = list(read_synsets(folder / "data.noun"))
    numbers = {each.offset: number for number, each in enumerate(synsets)}
    senses = read_senses(folder / "index.noun", numbers)
    pointers = [
        (number, symbol, numbers[offset])
        for number, each in enumerate(synsets)
        for symbol, offset in each.pointers
        if offset in numbers
    ]
    names = {child for child, symbol, _ in pointers if symbol == INSTANCE}
    return ConceptGraph(
        tuple(concept_of(each, senses, number, is_name=number in names) for number, each in enumerate(synsets)),
        edges_of((one, other) for one, _, other in pointers),
        edges_of((one, other) for one, symbol, other in pointers if symbol in (HYPERNYM, INSTANCE)),
        with_irregular(folder / "noun.exc", senses),
        rarely_nouns(folder / "cntlist.rev") | other_words(folder, senses),
    )


def read_synsets(file: Path) -> Iterator[Synset]:
    """The lines of data.noun; those of the licence begin with spaces."""
    for number, line in lines_of(file):
        if line.startswith("  "):
            continue
        fields = line.partition(" | ")[0].split()
        try:
            after = 4 + 2 * int(fields[3], 16)
            pointers = fields[after + 1 : after + 1 + 4 * int(fields[after])]
            kind = KINDS[int(fields[1]) - FIRST_KIND]
            targets = zip(pointers[::4], pointers[1::4], pointers[2::4], strict=True)
        except (ValueError, IndexError) as error:
            raise ValueError(f"{file}, line {number} is no synset of WordNet's: take the file anew") from error
        words = tuple(spelled(word) for word in fields[4:after:2])
        yield Synset(fields[0], words, kind, tuple((symbol, to) for symbol, to, part in targets if part == "n"))


def spelled(word: str) -> str:
    """As one writes it."""
    return word.replace("_", " ")


def read_senses(file: Path, numbers: dict[str, int]) -> dict[str, tuple[int, ...]]:
    """What each lemma means, its most frequent sense first."""
    found = dict[str, tuple[int, ...]]()
    for number, line in lines_of(file):
        if line.startswith("  "):
            continue
        fields = line.split()
        try:
            found[spelled(fields[0])] = tuple(numbers[offset] for offset in fields[-int(fields[2]) :])
        except (ValueError, IndexError, KeyError) as error:
            raise ValueError(f"{file}, line {number} does not fit data.noun: take both from one WordNet") from error
    return found


def concept_of(synset: Synset, senses: dict[str, tuple[int, ...]], number: int, *, is_name: bool) -> Concept:
    """A synset as a concept."""
    lemma = synset.words[0]
    place = (*senses.get(lemma.lower(), ()), number).index(number) + 1
    return Concept(f"{lemma.replace(' ', '_').lower()}.n.{place:02d}", synset.words, kind=synset.kind, is_name=is_name)


def with_irregular(file: Path, senses: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """With irregular plurals, such as wolves, which mean what their singular does."""
    pairs = [line.split() for _, line in lines_of(file)] if file.is_file() else []
    irregular = {spelled(pair[0]): senses[word] for pair in pairs if (word := spelled(pair[-1])) in senses}
    return {**irregular, **senses}


def rarely_nouns(file: Path) -> frozenset[str]:
    """Words that are nouns in less than half of the places where WordNet's texts were tagged, if those are some."""
    nouns, all_parts = Counter[str](), Counter[str]()
    for _, line in lines_of(file) if file.is_file() else ():
        key, _, count = line.split()
        lemma, _, sense = key.partition("%")
        all_parts[lemma] += int(count)
        nouns[lemma] += int(count) * sense.startswith(NOUN)
    return frozenset(spelled(lemma) for lemma, count in all_parts.items() if 2 * nouns[lemma] < count >= LEAST_TAGGED)


def other_words(folder: Path, senses: dict[str, tuple[int, ...]]) -> frozenset[str]:
    """Verbs, adjectives and adverbs that are no nouns."""
    files = [file for part in ("verb", "adj", "adv") if (file := folder / f"index.{part}").is_file()]
    lemmas = (spelled(line.split(" ", 1)[0]) for file in files for _, line in lines_of(file) if line[0] != " ")
    return frozenset(lemma for lemma in lemmas if lemma not in senses)
