"""Arithmetic in 8 bits: opt-in, because it is not exact."""

from ..kernels.rotation import hadamard, largest_group, rotated
from .fp8 import Fp8Linear
from .int8 import Int8Linear
from .scheme import FP8, INT8, INT8_UNROTATED, MATRICES, Scheme, quantise

__all__ = [
    "FP8",
    "INT8",
    "INT8_UNROTATED",
    "MATRICES",
    "Fp8Linear",
    "Int8Linear",
    "Scheme",
    "hadamard",
    "largest_group",
    "quantise",
    "rotated",
]
