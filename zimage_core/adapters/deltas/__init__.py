"""Kinds of change to a weight: LoRA, LoHa, LoKr, DoRA, full differences and new values."""

from .dora import Additive, Decomposed, Delta, moved
from .lycoris import Hadamard, Kronecker
from .plain import Full, LowRank, Replacement

__all__ = [
    "Additive",
    "Decomposed",
    "Delta",
    "Full",
    "Hadamard",
    "Kronecker",
    "LowRank",
    "Replacement",
    "moved",
]
