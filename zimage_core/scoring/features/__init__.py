"""Pictures as vectors: similarity with words, diversity, duplicates, distance between sets, aesthetic heads."""

from .aesthetic import AestheticHead, AestheticScore
from .cached import CachedEncoder
from .diversity_score import DiversityScore
from .dreamsim_folder import DreamSimFolder
from .efficientnet import EfficientNetLite
from .encoder import ClipFolder, PictureEncoder
from .likeness import LikenessScore
from .references import NearestReferenceScore, ReferencesFolder
from .sets import diversity, diversity_interval, duplicates, frechet_distance, halves_interval, kernel_distance
from .siglip_tower import SiglipTower
from .similarity import PREFIX, ClipColours, SimilarityScore

__all__ = [
    "PREFIX",
    "AestheticHead",
    "AestheticScore",
    "CachedEncoder",
    "ClipColours",
    "ClipFolder",
    "DiversityScore",
    "DreamSimFolder",
    "EfficientNetLite",
    "LikenessScore",
    "NearestReferenceScore",
    "PictureEncoder",
    "ReferencesFolder",
    "SiglipTower",
    "SimilarityScore",
    "diversity",
    "diversity_interval",
    "duplicates",
    "frechet_distance",
    "halves_interval",
    "kernel_distance",
]
