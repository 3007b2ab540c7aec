"""What stays of a graph: what can be seen, is no word for everything, and is of some rank."""

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .graph import ConceptGraph
from .hierarchy import as_edges, contracted

# Kinds of WordNet's whose concepts can mostly be drawn. Of attributes only what eyes see: colours, textures.
VISUAL_KINDS = (
    "animal",
    "artifact",
    "body",
    "food",
    "location",
    "object",
    "person",
    "phenomenon",
    "plant",
    "shape",
    "substance",
)
VISUAL_ROOTS = ("visual_property.n.01",)
TOPS = "Tops"  # WordNet's kind for the beginners of the others
UNKNOWN = ("article", "category", "emoji", "group", "phrase")  # no WordNet kind: nothing is known against them
EMOJI_GROUP = "emojis:"


def visual(graph: ConceptGraph, above: Any, kinds: Collection[str]) -> NDArray[np.bool_]:
    """Which concepts can be seen: by their kind; beginners if most of what is below them can."""
    by_kind = np.array([is_visual(each.kind, each.id, kinds) for each in graph.concepts], bool)
    roots = [number for number, each in enumerate(graph.concepts) if each.id in VISUAL_ROOTS]
    if roots:
        by_kind |= np.asarray(above[:, roots].sum(1)).ravel() > 0
        by_kind[roots] = True
    below, seen = above.sum(0), above.T @ by_kind.astype(np.int64)
    is_top = np.array([each.kind == TOPS for each in graph.concepts], bool)
    return by_kind | (is_top & (2 * seen > np.asarray(below).ravel()))


def is_visual(kind: str, name: str, kinds: Collection[str]) -> bool:
    """WordNet's group, such as a herd, is another than emojibase's."""
    if kind == "group":
        return name.startswith(EMOJI_GROUP) or kind in kinds
    return kind in kinds or kind in UNKNOWN


def most_ranked(rank: NDArray[np.float64], most: int) -> NDArray[np.bool_]:
    """Those of the highest rank; of the same rank the first."""
    is_kept = np.zeros(len(rank), bool)
    is_kept[np.argsort(-rank, kind="stable")[:most]] = True
    return is_kept


def pruned(graph: ConceptGraph, is_kept: NDArray[np.bool_], parents: Any) -> ConceptGraph:
    """The graph of those that are kept; what lost its parent hangs under the next one above."""
    new = np.cumsum(is_kept) - 1
    links = graph.links[:, is_kept[graph.links].all(0)]
    senses = {
        word: kept
        for word, numbers in graph.senses.items()
        if (kept := tuple(int(new[number]) for number in numbers if is_kept[number]))
    }
    return ConceptGraph(
        tuple(concept for concept, stays in zip(graph.concepts, is_kept.tolist(), strict=True) if stays),
        new[links],
        as_edges(contracted(parents, is_kept)),
        senses,
        graph.unlikely,
    )
