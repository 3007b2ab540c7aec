"""The same search among as many pictures as a person looks through, in memory and without libraries."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ..captions import bm25, captions_of, statistics_of, terms
from ..duplicates.cells import Vectors
from .query import Hit
from .search import best


def nearest(paths: Sequence[str], vectors: Vectors, queries: Vectors, most: int) -> list[Hit]:
    """Pictures by the cosine of their vector (n c) to the nearest of the queries (q c), best first; all of length 1."""
    cosines = (vectors @ queries.T).max(1) if len(vectors) else np.empty(0, np.float32)
    return best((Hit(0, path, float(score)) for path, score in zip(paths, cosines, strict=True)), 1, most)[0]


def that_say(paths: Sequence[str], words: str, most: int) -> list[Hit]:
    """Pictures whose captions say any of the words, by BM25, best first.

    Raises ValueError with one sentence where none has a caption, or one cannot be read.
    """
    said = [[term for caption in captions for term in terms(caption)] for captions in captions_of(paths)]
    statistics, asked = statistics_of(said), terms(words)
    if not statistics.documents:
        raise ValueError(
            "None of these pictures has a caption, with which words are compared: write some with Z-Image Caption "
            "Folder, connect a picture, or put a CLIP or SigLIP into models/clip_vision."
        )
    scores = (bm25(asked, Counter(each), len(each), statistics) for each in said)
    return best((Hit(0, path, score) for path, score in zip(paths, scores, strict=True) if score > 0), 1, most)[0]
