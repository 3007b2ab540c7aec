"""Concepts from captions: phrases that are often used, each a kind of what it ends with."""

from collections.abc import Iterable
from typing import Any

from ...han import HAN
from .function_words import ENGLISH
from .graph import Concept, ConceptGraph, extended
from .hierarchy import ancestors, as_matrix
from .matching import base_forms, most_likely

KIND = "phrase"


def with_phrases(graph: ConceptGraph, found: Iterable[str]) -> ConceptGraph:
    """The graph with those that it has no word for yet, short ones first, so that longer ones find them."""
    above = ancestors(as_matrix(graph.parents, len(graph.concepts)))
    concepts, parents, names = list[Concept](), list[tuple[int, int]](), dict[str, int]()
    for phrase in sorted(found, key=lambda each: (len(each), each)):
        if is_known(phrase, graph) or is_other_word(phrase, graph):
            continue
        number = len(graph.concepts) + len(concepts)
        parent = head_of(phrase, graph, above, names)
        kind = KIND if parent is None or parent >= len(graph.concepts) else graph.concepts[parent].kind
        is_chinese = bool(HAN.search(phrase))
        concepts.append(Concept(f"phrase:{phrase}", () if is_chinese else (phrase,), (phrase,) * is_chinese, kind))
        names[phrase] = number
        parents += [(number, parent)] if parent is not None else []
    return extended(graph, concepts, parents, names)


def is_known(phrase: str, graph: ConceptGraph) -> bool:
    """Whether the graph has a word for it, perhaps in the singular."""
    return any(form in graph.senses for form in base_forms(phrase))


def is_other_word(phrase: str, graph: ConceptGraph) -> bool:
    """Whether it ends with a word that is mostly no noun."""
    last = phrase.rpartition(" ")[2]
    return last in ENGLISH or any(form in graph.unlikely for form in base_forms(last))


def head_of(phrase: str, graph: ConceptGraph, above: Any, names: dict[str, int]) -> int | None:
    """The concept of the longest known end of a phrase."""
    for end in ends(phrase):
        for form in base_forms(end):
            if form in names:
                return names[form]
            if senses := graph.senses.get(form):
                return most_likely(form, senses, graph, above)
    return None


def ends(phrase: str) -> list[str]:
    """The shorter ends, the longest first: of words, or of Chinese letters down to two."""
    if HAN.search(phrase):
        return [phrase[first:] for first in range(1, len(phrase) - 1)]
    words = phrase.split()
    return [" ".join(words[first:]) for first in range(1, len(words))]
