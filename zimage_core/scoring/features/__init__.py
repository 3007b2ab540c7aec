"""Pictures as vectors: similarity with words, diversity, duplicates, distance between sets, aesthetic heads."""

from .aesthetic import AestheticHead, AestheticScore
from .encoder import ClipFolder, PictureEncoder
from .likeness import LikenessScore
from .sets import diversity, duplicates, frechet_distance, halves_interval, kernel_distance
from .siglip_tower import SiglipTower
from .similarity import PREFIX, ClipColours, SimilarityScore

__all__ = [
    "PREFIX",
    "AestheticHead",
    "AestheticScore",
    "ClipColours",
    "ClipFolder",
    "LikenessScore",
    "PictureEncoder",
    "SiglipTower",
    "SimilarityScore",
    "diversity",
    "duplicates",
    "frechet_distance",
    "halves_interval",
    "kernel_distance",
]
