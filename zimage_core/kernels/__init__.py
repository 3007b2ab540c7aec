"""The elementwise work of a transformer block (norms, rotary embedding, SwiGLU, quantization) as sets of kernels.

All sets compute the same; they differ in how often they pass over memory.
"""

from .plain import Rope, rotate
from .quantization import QuantizedTensor, QuantKernels, QuantSpec, quantize
from .scale_row import ScaleRow, SplitRow, finite
from .selection import CPU, CUDA, PLAIN, Kernels, select_kernels, select_quant_kernels, use_kernels

__all__ = [
    "CPU",
    "CUDA",
    "PLAIN",
    "Kernels",
    "QuantKernels",
    "QuantSpec",
    "QuantizedTensor",
    "Rope",
    "ScaleRow",
    "SplitRow",
    "finite",
    "quantize",
    "rotate",
    "select_kernels",
    "select_quant_kernels",
    "use_kernels",
]
