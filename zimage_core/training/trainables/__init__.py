"""What is trained: adapters on a frozen base."""

from .lora import LoraTrainable, LowRankBranch

__all__ = ["LoraTrainable", "LowRankBranch"]
