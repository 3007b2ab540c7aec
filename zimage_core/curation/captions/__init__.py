"""What stands beside pictures in words: captions, their terms, and BM25."""

from .beside import captions_of
from .bm25 import Statistics, bm25, idf, idf_of, statistics_of
from .terms import phrase, terms

__all__ = ["Statistics", "bm25", "captions_of", "idf", "idf_of", "phrase", "statistics_of", "terms"]
