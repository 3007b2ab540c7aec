"""Quantization to 8 bits with one scale per row, as the int8 and fp8 layers of `quant/` take their inputs.

Kernels that produce such inputs (norms, SwiGLU) can quantize them in the same pass. Activations need a scale per token:
this model's outliers reach 6e4, and one scale for a whole tensor would round all other values to zero.

Letters: b batch and tokens, i width of a row, n tokens, d width, f feed-forward width.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from .._shapes import Float
from .rotation import rotated
from .scale_row import ScaleRow, finite

MIN_SCALE = 1e-12  # the scale of a row of zeros
QMAX = {torch.int8: 127.0, torch.float8_e4m3fn: torch.finfo(torch.float8_e4m3fn).max}  # symmetric: -128 is not used


class QuantSpec(NamedTuple):
    """How rows are quantized: the 8-bit dtype, and how many columns are rotated together before, if any."""

    dtype: torch.dtype  # int8 or float8_e4m3fn
    rotation_group: int | None = None  # columns; None = not rotated

    @property
    def qmax(self) -> float:
        """The largest value of the dtype, which the largest magnitude of each row is mapped to."""
        return QMAX[self.dtype]


class QuantizedTensor(NamedTuple):
    """8-bit values with a scale per row: values · scale approximates the original (or rotated) tensor."""

    values: Tensor  # (…, i) in int8 or float8_e4m3fn
    scale: Float[Tensor, "*b 1"]  # float32
    dtype: torch.dtype  # of the original tensor, and of what a GEMM with these values returns

    @property
    def device(self) -> torch.device:
        """The device of values and scale."""
        return self.values.device

    @property
    def shape(self) -> torch.Size:
        """The shape of the original tensor."""
        return self.values.shape


class QuantKernels(NamedTuple):
    """A set of kernels that return quantized tensors."""

    quantize: Callable[[Tensor, QuantSpec], QuantizedTensor]
    norm: Callable[[Tensor, ScaleRow, float, QuantSpec], QuantizedTensor]
    swiglu: Callable[[Tensor, Tensor, QuantSpec], QuantizedTensor]


def quantize(x: Float[Tensor, "*b i"], spec: QuantSpec) -> QuantizedTensor:
    """Each row divided by scale = max |x| / qmax and rounded to nearest, ties to even."""
    # The rotation is a matmul, and few CPUs have a fast one in 16 bits.
    group = spec.rotation_group
    source = x if group is None else rotated(x.float() if x.device.type == "cpu" else x, group)
    # On a CPU, amax and amin are ten times faster than the maximum of abs().
    magnitude = torch.maximum(source.amax(dim=-1, keepdim=True), -source.amin(dim=-1, keepdim=True))
    scale = magnitude.float().div_(spec.qmax).clamp_min_(MIN_SCALE)
    values = source / scale if source is x else source.float().div_(scale)
    if spec.dtype == torch.int8:
        values.round_()
    return QuantizedTensor(values.to(spec.dtype), scale, x.dtype)


@lru_cache(maxsize=8)
def unfused(
    norm: Callable[[Tensor, ScaleRow, float], Tensor], swiglu: Callable[[Tensor, Tensor], Tensor]
) -> QuantKernels:
    """Quantization as a separate step after ordinary kernels. Cached, so that equal arguments give one and the same
    set, which `fastest` remembers its choice by."""

    def quantized_norm(x: Float[Tensor, "b n d"], row: ScaleRow, eps: float, spec: QuantSpec) -> QuantizedTensor:
        return quantize(norm(x, row, eps), spec)

    def quantized_swiglu(gate: Float[Tensor, "b n f"], up: Float[Tensor, "b n f"], spec: QuantSpec) -> QuantizedTensor:
        return quantize(finite(swiglu(gate, up)), spec)

    return QuantKernels(quantize, quantized_norm, quantized_swiglu)
