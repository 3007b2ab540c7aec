"""Concepts that a folder's captions speak of, and of those that were asked for or are known which not, in memory.

The functions are those of `concepts`; what is counted are pictures, all captions of one taken together.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..captions import phrase
from ..concepts.caption_stages import rarity, spoken_of, with_selves
from ..concepts.concept_map import MapParameters, prune, summary_of
from ..concepts.concept_rows import Found, rows_of
from ..concepts.graph import ConceptGraph
from ..concepts.hierarchy import ancestors, as_matrix, depths
from ..concepts.matching import lexicon_of, mentions
from ..concepts.phrase_concepts import with_phrases
from ..concepts.phrases import phrases

Captions = Sequence[tuple[str, ...]]  # of each picture
Follow = Callable[[Collection[tuple[str, ...]]], Iterable[tuple[str, ...]]]  # the same, with progress


@dataclass(frozen=True)
class FolderConcepts:
    """A map of concepts."""

    rows: Sequence[Mapping[str, Any]]  # with the columns of `concepts`, captions counted by picture
    summary: Mapping[str, Any]
    wanted: Mapping[str, int]  # pictures that speak of what each line names


def concepts_among(
    captions: Captions, known: ConceptGraph, least_uses: int, wanted: Sequence[str], follow: Follow
) -> FolderConcepts:
    """Concepts that are known, and phrases that so many pictures use or that are wanted, with what is said of each."""
    uses = Counter(said for texts in captions for said in {each for text in texts for each in phrases(text)})
    often = {said for said, times in uses.items() if times >= least_uses}
    graph = with_phrases(known, often.union(each for line in wanted for each in phrases(line)))
    kept = prune(graph, MapParameters(least_uses=least_uses))
    count = len(kept.graph.concepts)
    parents = as_matrix(kept.graph.parents, count)
    above = ancestors(parents)
    lexicon = lexicon_of(kept.graph, above)
    spoken = [sorted({each for text in texts for each in mentions(text, lexicon)}) for texts in follow(captions)]
    numbers = np.array([each for found in spoken for each in found], np.int64)
    reached = spoken_of(numbers, np.array([len(found) for found in spoken], np.int64), count) @ with_selves(above)
    covered = np.bincount(reached.nonzero()[1], minlength=count)
    found = Found(
        kept.graph,
        depths(parents),
        kept.generality,
        kept.rank,
        np.bincount(numbers, minlength=count),
        covered,
        rarity(covered, len(captions)),
    )

    def times(line: str) -> int:
        """Pictures that speak of all that a line names, or say it as it is."""
        named = mentions(line, lexicon)
        says = np.array([any(phrase(line) in phrase(text) for text in texts) for texts in captions], bool)
        speaks = np.asarray(reached[:, named].sum(1)).ravel() == len(named) if named else False
        return int((says | speaks).sum())

    return FolderConcepts(
        rows_of(found), summary_of(kept, found, len(captions)), {line: times(line) for line in wanted}
    )
