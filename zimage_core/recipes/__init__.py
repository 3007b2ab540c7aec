"""Recipes of training: what can be chosen, declared once, and the TOML files that choose it. Without PyTorch."""

from .distillation_config import DistillationConfig, read_distillation
from .preference_config import PreferenceConfig, read_preference
from .recipe_file import Stage, read_recipe
from .sources import Source
from .training_config import FullConfig, LoraConfig, TrainingConfig

__all__ = [
    "DistillationConfig",
    "FullConfig",
    "LoraConfig",
    "PreferenceConfig",
    "Source",
    "Stage",
    "TrainingConfig",
    "read_distillation",
    "read_preference",
    "read_recipe",
]
