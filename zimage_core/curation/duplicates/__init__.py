"""Copies among pictures: near by their vectors, checked by their looks, joined to groups, the best of each kept."""

from .agreement import adjusted_rand
from .dedup import DedupParameters, find_duplicates

__all__ = ["DedupParameters", "adjusted_rand", "find_duplicates"]
