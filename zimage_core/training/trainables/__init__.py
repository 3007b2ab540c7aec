"""What is trained: adapters on a frozen base, or all weights."""

from .all_weights import AllWeights
from .lora import LoraTrainable, LowRankBranch
from .trainable import Trainable

__all__ = ["AllWeights", "LoraTrainable", "LowRankBranch", "Trainable"]
