"""Recipes of training: what can be chosen, declared once, and the TOML files that choose it. Without PyTorch."""

from .recipe_file import Stage, read_recipe
from .training_config import FullConfig, LoraConfig, TrainingConfig

__all__ = ["FullConfig", "LoraConfig", "Stage", "TrainingConfig", "read_recipe"]
