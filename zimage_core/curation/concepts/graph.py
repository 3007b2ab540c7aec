"""A graph of concepts: what they are called, what points to what, and what is a kind of what."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Edges = NDArray[np.int64]  # (2 e): from, to


class Concept(NamedTuple):
    """A thing that can be spoken of."""

    id: str  # dog.n.01, enwiki:Dog, emoji:1F436, phrase:red fox
    english: tuple[str, ...] = ()  # names; the first is shown
    chinese: tuple[str, ...] = ()
    kind: str = ""  # animal, artifact, ...: a WordNet lexicographer file; else where it is from
    is_name: bool = False  # of one person, place or thing


@dataclass(frozen=True)
class ConceptGraph:
    """Concepts by number."""

    concepts: tuple[Concept, ...]
    links: Edges  # what mentions what, for the rank
    parents: Edges  # what is a kind of what: child, parent
    senses: Mapping[str, tuple[int, ...]]  # a word, in lower case -> what it may mean, the most usual first
    unlikely: frozenset[str] = field(default_factory=frozenset[str])  # words that are mostly no nouns


def edges_of(pairs: Iterable[tuple[int, int]]) -> Edges:
    """Pairs as an array, each once."""
    found = np.array(sorted(set(pairs)), np.int64)
    return found.reshape(-1, 2).T


def senses_of(concepts: Sequence[Concept]) -> dict[str, tuple[int, ...]]:
    """All names, in the order of the concepts."""
    found = dict[str, list[int]]()
    for number, concept in enumerate(concepts):
        for name in dict.fromkeys(word.lower() for word in (*concept.english, *concept.chinese)):
            found.setdefault(name, []).append(number)
    return {name: tuple(numbers) for name, numbers in found.items()}


def joined(graphs: Sequence[ConceptGraph]) -> ConceptGraph:
    """Several graphs beside each other; a word means first what it means in the first of them."""
    concepts, links, parents = list[Concept](), [np.empty((2, 0), np.int64)], [np.empty((2, 0), np.int64)]
    senses = dict[str, tuple[int, ...]]()
    for graph in graphs:
        first = len(concepts)
        links.append(graph.links + first)
        parents.append(graph.parents + first)
        for word, numbers in graph.senses.items():
            senses[word] = (*senses.get(word, ()), *(number + first for number in numbers))
        concepts += graph.concepts
    return ConceptGraph(
        tuple(concepts),
        np.concatenate(links, 1),
        np.concatenate(parents, 1),
        senses,
        frozenset().union(*(graph.unlikely for graph in graphs)),
    )


def extended(
    graph: ConceptGraph, concepts: Sequence[Concept], parents: Sequence[tuple[int, int]], names: Mapping[str, int]
) -> ConceptGraph:
    """More concepts behind the others, hung under parents, which they point to and which point to them; more names."""
    hung = edges_of(parents)
    senses = dict(graph.senses)
    for name, number in names.items():
        senses[name.lower()] = tuple(dict.fromkeys((*senses.get(name.lower(), ()), number)))
    return ConceptGraph(
        (*graph.concepts, *concepts),
        np.concatenate([graph.links, hung, hung[::-1]], 1),
        np.concatenate([graph.parents, hung], 1),
        senses,
        graph.unlikely,
    )
