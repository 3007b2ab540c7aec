"""Recipes of training: what can be chosen, declared once, and the TOML files that choose it. Without PyTorch."""

from .recipe_file import Stage, read_recipe
from .sources import Source
from .training_config import FullConfig, LoraConfig, TrainingConfig

__all__ = ["FullConfig", "LoraConfig", "Source", "Stage", "TrainingConfig", "read_recipe"]
