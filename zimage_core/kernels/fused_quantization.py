"""Norm, SwiGLU and quantization in one Triton kernel each: tokens are quantized before they are written to memory.

They compute in float32; the rotation is a matmul in TF32 (11 bits of mantissa) on NVIDIA GPUs. Imported only if
Triton is installed and the tensors are on a GPU; `fastest.py` uses them only if they are measured to be faster.

Letters: b batch, n tokens, d width, f feed-forward width, i width of a row.
"""
# pyright: basic, reportArgumentType=false, reportCallIssue=false
# Triton compiles functions from their source code, so jaxtyping must not wrap them, and its language has no types.

from functools import lru_cache
from typing import no_type_check

import torch
import triton
import triton.language as tl
from torch import Tensor

from .._shapes import Float
from .fused import normed_token, row_arguments
from .quantization import MIN_SCALE, QuantizedTensor, QuantSpec
from .rotation import FUSED_GROUP, hadamard
from .scale_row import ScaleRow

SIDE = 16  # a rotation of 256 is computed as two of 16
CHUNK = 2048  # elements of a long row that are processed at a time
ROUND = tl.constexpr(12582912.0)  # 1.5 * 2**23: adding it to a float32 and subtracting it rounds, ties to even
SMALLEST = tl.constexpr(MIN_SCALE)
PRECISION = tl.constexpr("tf32" if torch.version.hip is None else "ieee")  # of rotations; Triton has no TF32 for AMD


def quantize(x: Float[Tensor, "*b i"], spec: QuantSpec) -> QuantizedTensor:
    """Each row divided by scale = max |x| / qmax and rounded to nearest, ties to even."""
    tokens = x.contiguous()
    out = _empty(tokens, spec)
    width = x.shape[-1]
    with torch.cuda.device_of(tokens):
        _quantize[(out.scale.numel(),)](
            tokens, out.values, out.scale, _rotation(x.device), spec.qmax,
            WIDTH=width, BLOCK=_block(width), IS_ROTATED=spec.rotation_group is not None,
        )  # fmt: skip
    return out


def norm(x: Float[Tensor, "b n d"], row: ScaleRow, eps: float, spec: QuantSpec) -> QuantizedTensor:
    """RMSNorm (x / rms(x) · row), quantized."""
    tokens, (b, n, width) = x.contiguous(), x.shape
    out = _empty(tokens, spec)
    clean, noisy, *row_layout = row_arguments(row)
    with torch.cuda.device_of(tokens):
        _norm_and_quantize[(b * n,)](
            tokens, clean, noisy, out.values, out.scale, _rotation(x.device), n, *row_layout, eps, spec.qmax,
            WIDTH=width, BLOCK=_block(width), IS_ROTATED=spec.rotation_group is not None,
        )  # fmt: skip
    return out


def swiglu(gate: Float[Tensor, "b n f"], up: Float[Tensor, "b n f"], spec: QuantSpec) -> QuantizedTensor:
    """silu(gate) · up, quantized. Every row is computed twice: first for its scale, then to be written."""
    gate, up = gate.contiguous(), up.contiguous()
    out = _empty(gate, spec)
    width = gate.shape[-1]
    with torch.cuda.device_of(gate):
        _swiglu_and_quantize[(out.scale.numel(),)](
            gate, up, out.values, out.scale, _rotation(gate.device), spec.qmax,
            WIDTH=width, CHUNK=min(CHUNK, _block(width)), IS_ROTATED=spec.rotation_group is not None,
        )  # fmt: skip
    return out


def _empty(like: Tensor, spec: QuantSpec) -> QuantizedTensor:
    group, width = spec.rotation_group, like.shape[-1]
    if group not in (None, FUSED_GROUP) or (group and width % FUSED_GROUP):
        raise ValueError(f"columns turn in groups of {FUSED_GROUP} here; {group} of {width} were asked for")
    scale = like.new_empty((*like.shape[:-1], 1), dtype=torch.float32)
    return QuantizedTensor(torch.empty_like(like, dtype=spec.dtype), scale, like.dtype)


def _block(width: int) -> int:
    """The power of two that covers a row: Triton's blocks have such lengths."""
    return 1 << (max(FUSED_GROUP, width) - 1).bit_length()


@lru_cache(maxsize=4)
def _rotation(device: torch.device) -> Float[Tensor, "16 16"]:
    """The Hadamard matrix of 16: that of 256 is its Kronecker product with itself."""
    return hadamard(SIDE).to(device)


@triton.jit
@no_type_check
def _quantize(x, out, scales, rotation, qmax, WIDTH: tl.constexpr, BLOCK: tl.constexpr, IS_ROTATED: tl.constexpr):
    token = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    values = tl.load(x + token * WIDTH + column, mask=column < WIDTH, other=0.0).to(tl.float32)
    _store_row(values, token, column, out, scales, rotation, qmax, WIDTH, BLOCK, IS_ROTATED)


@triton.jit
@no_type_check
def _norm_and_quantize(
    x, clean, noisy, out, scales, rotation, n, start, clean_stride, noisy_stride, eps, qmax,
    WIDTH: tl.constexpr, BLOCK: tl.constexpr, IS_ROTATED: tl.constexpr,
):  # fmt: skip
    token = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    values = normed_token(x, clean, noisy, token, column, n, start, clean_stride, noisy_stride, eps, WIDTH)
    _store_row(values, token, column, out, scales, rotation, qmax, WIDTH, BLOCK, IS_ROTATED)


@triton.jit
@no_type_check
def _swiglu_and_quantize(
    gate, up, out, scales, rotation, qmax,
    WIDTH: tl.constexpr, CHUNK: tl.constexpr, IS_ROTATED: tl.constexpr,
):  # fmt: skip
    token = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, CHUNK)
    peak = tl.zeros((CHUNK,), tl.float32)
    for start in range(0, WIDTH, CHUNK):
        values = _gated(gate, up, token * WIDTH, start + column, rotation, WIDTH, CHUNK, IS_ROTATED)
        peak = tl.maximum(peak, tl.abs(values))
    scale = tl.maximum(tl.max(peak, axis=0) / qmax, SMALLEST)
    tl.store(scales + token, scale)
    for start in range(0, WIDTH, CHUNK):
        values = _gated(gate, up, token * WIDTH, start + column, rotation, WIDTH, CHUNK, IS_ROTATED)
        target = out + token * WIDTH + start + column
        tl.store(target, _to_8_bits(values / scale, out), mask=start + column < WIDTH)


@triton.jit
@no_type_check
def _gated(gate, up, first, column, rotation, WIDTH: tl.constexpr, CHUNK: tl.constexpr, IS_ROTATED: tl.constexpr):
    g = tl.load(gate + first + column, mask=column < WIDTH, other=0.0).to(tl.float32)
    u = tl.load(up + first + column, mask=column < WIDTH, other=0.0).to(tl.float32)
    values = g * tl.sigmoid(g) * u
    if IS_ROTATED:
        values = _rotated(values, rotation, CHUNK)
    return values


@triton.jit
@no_type_check
def _store_row(
    values, token, column, out, scales, rotation, qmax,
    WIDTH: tl.constexpr, BLOCK: tl.constexpr, IS_ROTATED: tl.constexpr,
):  # fmt: skip
    if IS_ROTATED:
        values = _rotated(values, rotation, BLOCK)
    scale = tl.maximum(tl.max(tl.abs(values), axis=0) / qmax, SMALLEST)
    tl.store(scales + token, scale)
    tl.store(out + token * WIDTH + column, _to_8_bits(values / scale, out), mask=column < WIDTH)


@triton.jit
@no_type_check
def _to_8_bits(values, out):
    if out.dtype.element_ty == tl.int8:
        values = (values + ROUND) - ROUND
    return values.to(out.dtype.element_ty)


@triton.jit
@no_type_check
def _rotated(values, rotation, LENGTH: tl.constexpr):
    """Every group of 256 values times the Hadamard matrix H of 256.

    H is the Kronecker product of that of 16 with itself, so the group as a 16 x 16 matrix X becomes h X h.
    """
    index = tl.arange(0, 16)
    h = tl.load(rotation + index[:, None] * 16 + index[None, :])
    by_row = tl.dot(tl.reshape(values, (LENGTH // 16, 16)), h, input_precision=PRECISION)
    transposed = tl.permute(tl.reshape(by_row, (LENGTH // 256, 16, 16)), (0, 2, 1))
    by_column = tl.dot(tl.reshape(transposed, (LENGTH // 16, 16)), h, input_precision=PRECISION)
    return tl.reshape(tl.permute(tl.reshape(by_column, (LENGTH // 256, 16, 16)), (0, 2, 1)), (LENGTH,))
