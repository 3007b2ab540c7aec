"""What is trained: adapters on a frozen base, or all weights."""

from .all_weights import AllWeights
from .lora import KINDS, LAYERS, LoraTrainable
from .roles import Roles
from .trainable import Trainable

__all__ = ["KINDS", "LAYERS", "AllWeights", "LoraTrainable", "Roles", "Trainable"]
