"""8-bit linear layers, int8 and fp8: faster and smaller, but not exact, so they are opt-in."""

from ..kernels.rotation import hadamard, largest_group, rotated
from .fp8 import Fp8Linear
from .int8 import Int8Linear
from .scheme import FP8, INT8, INT8_UNROTATED, MATRICES, SCHEMES, Scheme, quantize_layers

__all__ = [
    "FP8",
    "INT8",
    "INT8_UNROTATED",
    "MATRICES",
    "SCHEMES",
    "Fp8Linear",
    "Int8Linear",
    "Scheme",
    "hadamard",
    "largest_group",
    "quantize_layers",
    "rotated",
]
