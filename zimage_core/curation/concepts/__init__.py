"""Concepts of the world, from WordNet, wikis, emojis and captions: ranked, pruned, in a hierarchy, with what captions
cover of each."""

from .concept_map import MapParameters, map_concepts
from .concept_page import write_concept_page
from .graphml import write_graphml
from .pruning import VISUAL_KINDS
from .sources import Sources
from .wordnet import KINDS

__all__ = [
    "KINDS",
    "VISUAL_KINDS",
    "MapParameters",
    "Sources",
    "map_concepts",
    "write_concept_page",
    "write_graphml",
]
