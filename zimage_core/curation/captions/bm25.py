"""BM25: how much a text is about a query's terms, rare terms counting more (Robertson and Zaragoza 2009).

The inverse document frequency is Lucene's, which is never negative.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

K1, B = 1.5, 0.75  # how soon a repeated term stops counting; how much long texts pay


@dataclass(frozen=True)
class Statistics:
    """What is known of all texts."""

    documents: int
    mean_length: float  # terms
    frequency: Mapping[str, int]  # documents with a term


def statistics_of(documents: Iterable[Sequence[str]]) -> Statistics:
    """Of texts that are given as their terms; empty ones do not count."""
    frequency, count, length = Counter[str](), 0, 0
    for each in documents:
        frequency.update(set(each))
        count, length = count + bool(each), length + len(each)
    return Statistics(count, length / max(count, 1), frequency)


def idf(term: str, statistics: Statistics) -> float:
    """How much a term tells: near 0 for one in every text."""
    return idf_of(statistics.frequency.get(term, 0), statistics.documents)


def idf_of(found: int, documents: int) -> float:
    """That of what so many of all documents have."""
    return math.log(1 + (documents - found + 0.5) / (found + 0.5))


def bm25(query: Iterable[str], counts: Mapping[str, int], length: int, statistics: Statistics) -> float:
    """Of a text of `length` terms, in which each of the query's terms is there `counts` times."""
    shortness = K1 * (1 - B + B * length / max(statistics.mean_length, 1e-9))
    found = ((idf(term, statistics), counts.get(term, 0)) for term in set(query))
    return math.fsum(weight * times * (K1 + 1) / (times + shortness) for weight, times in found if times)
