"""Tokens rounded to 8 bits by the Triton kernel that makes them: read once, or twice where a row is long, written once.

Norms and products are float32 inside; the rotation's factors are TF32, of 11 bits, on cards that have it. Imported only
where Triton is installed and a graphics card is there to run it; kernels/choice.py measures whether it pays.

Letters: b batch, n tokens, d width, f feed-forward width, i width of a row.
"""
# pyright: basic, reportArgumentType=false, reportCallIssue=false
# Triton compiles functions from their text, so nothing may wrap them first, and its language has no types.

from functools import lru_cache
from typing import no_type_check

import torch
import triton
import triton.language as tl
from torch import Tensor

from .._shapes import Float
from .fused import normed_token, of_row
from .quantize import SMALLEST_SCALE, Rounding, Rows
from .rotation import hadamard
from .scale_row import Row

GROUP, SIDE = 256, 16  # columns that turn together, in every published file; as a square
PIECE = 2048  # elements of a long row at a time
ROUNDER = tl.constexpr(12582912.0)  # 1.5 * 2**23: adding it to a float32 and taking it away rounds, halves to even
SMALLEST = tl.constexpr(SMALLEST_SCALE)


def rounded(x: Float[Tensor, "*b i"], rounding: Rounding) -> Rows:
    """Each row divided by its largest magnitude over the format's, and rounded to the nearest."""
    tokens = x.contiguous()
    rows = _empty_rows(tokens, rounding)
    width = x.shape[-1]
    with torch.cuda.device_of(tokens):
        _round[(rows.scale.numel(),)](
            tokens, rows.numbers, rows.scale, _square(x.device), rounding.largest,
            WIDTH=width, BLOCK=_block(width), IS_TURNED=rounding.group is not None,
        )  # fmt: skip
    return rows


def norm(x: Float[Tensor, "b n d"], row: Row, eps: float, rounding: Rounding) -> Rows:
    """RMS-normed tokens times a row, rounded."""
    tokens, (b, n, width) = x.contiguous(), x.shape
    rows = _empty_rows(tokens, rounding)
    clean, noisy, *places = of_row(row)
    with torch.cuda.device_of(tokens):
        _norm_and_round[(b * n,)](
            tokens, clean, noisy, *rows[:2], _square(x.device), n, *places, eps, rounding.largest,
            WIDTH=width, BLOCK=_block(width), IS_TURNED=rounding.group is not None,
        )  # fmt: skip
    return rows


def swiglu(gate: Float[Tensor, "b n f"], up: Float[Tensor, "b n f"], rounding: Rounding) -> Rows:
    """silu(gate) · up, rounded. A row is made twice, once to find its largest magnitude."""
    gate, up = gate.contiguous(), up.contiguous()
    rows = _empty_rows(gate, rounding)
    width = gate.shape[-1]
    with torch.cuda.device_of(gate):
        _swiglu_and_round[(rows.scale.numel(),)](
            gate, up, rows.numbers, rows.scale, _square(gate.device), rounding.largest,
            WIDTH=width, PIECE=min(PIECE, _block(width)), IS_TURNED=rounding.group is not None,
        )  # fmt: skip
    return rows


def _empty_rows(like: Tensor, rounding: Rounding) -> Rows:
    if rounding.group not in (None, GROUP) or (rounding.group and like.shape[-1] % GROUP):
        raise ValueError(f"columns turn in groups of {GROUP} here; {rounding.group} of {like.shape[-1]} were asked for")
    scale = like.new_empty((*like.shape[:-1], 1), dtype=torch.float32)
    return Rows(torch.empty_like(like, dtype=rounding.dtype), scale, like.dtype)


def _block(width: int) -> int:
    return 1 << (max(GROUP, width) - 1).bit_length()


@lru_cache(maxsize=4)
def _square(device: torch.device) -> Float[Tensor, "16 16"]:
    """The rotation of 16: that of 256 turns rows and columns of a square of 16 by it."""
    return hadamard(SIDE).to(device)


@triton.jit
@no_type_check
def _round(x, numbers, scales, square, largest, WIDTH: tl.constexpr, BLOCK: tl.constexpr, IS_TURNED: tl.constexpr):
    token = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    values = tl.load(x + token * WIDTH + column, mask=column < WIDTH, other=0.0).to(tl.float32)
    _store_row(values, token, column, numbers, scales, square, largest, WIDTH, BLOCK, IS_TURNED)


@triton.jit
@no_type_check
def _norm_and_round(
    x, clean, noisy, numbers, scales, square, n, start, clean_stride, noisy_stride, eps, largest,
    WIDTH: tl.constexpr, BLOCK: tl.constexpr, IS_TURNED: tl.constexpr,
):  # fmt: skip
    token = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    values = normed_token(x, clean, noisy, token, column, n, start, clean_stride, noisy_stride, eps, WIDTH)
    _store_row(values, token, column, numbers, scales, square, largest, WIDTH, BLOCK, IS_TURNED)


@triton.jit
@no_type_check
def _swiglu_and_round(
    gate, up, numbers, scales, square, largest,
    WIDTH: tl.constexpr, PIECE: tl.constexpr, IS_TURNED: tl.constexpr,
):  # fmt: skip
    token = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, PIECE)
    peak = tl.zeros((PIECE,), tl.float32)
    for start in range(0, WIDTH, PIECE):
        values = _gated(gate, up, token * WIDTH, start + column, square, WIDTH, PIECE, IS_TURNED)
        peak = tl.maximum(peak, tl.abs(values))
    scale = tl.maximum(tl.max(peak, axis=0) / largest, SMALLEST)
    tl.store(scales + token, scale)
    for start in range(0, WIDTH, PIECE):
        values = _gated(gate, up, token * WIDTH, start + column, square, WIDTH, PIECE, IS_TURNED)
        place = numbers + token * WIDTH + start + column
        tl.store(place, _in_8_bits(values / scale, numbers), mask=start + column < WIDTH)


@triton.jit
@no_type_check
def _gated(gate, up, first, column, square, WIDTH: tl.constexpr, PIECE: tl.constexpr, IS_TURNED: tl.constexpr):
    g = tl.load(gate + first + column, mask=column < WIDTH, other=0.0).to(tl.float32)
    u = tl.load(up + first + column, mask=column < WIDTH, other=0.0).to(tl.float32)
    values = g * tl.sigmoid(g) * u
    if IS_TURNED:
        values = _turned(values, square, PIECE)
    return values


@triton.jit
@no_type_check
def _store_row(
    values, token, column, numbers, scales, square, largest,
    WIDTH: tl.constexpr, BLOCK: tl.constexpr, IS_TURNED: tl.constexpr,
):  # fmt: skip
    if IS_TURNED:
        values = _turned(values, square, BLOCK)
    scale = tl.maximum(tl.max(tl.abs(values), axis=0) / largest, SMALLEST)
    tl.store(scales + token, scale)
    tl.store(numbers + token * WIDTH + column, _in_8_bits(values / scale, numbers), mask=column < WIDTH)


@triton.jit
@no_type_check
def _in_8_bits(values, numbers):
    if numbers.dtype.element_ty == tl.int8:
        values = (values + ROUNDER) - ROUNDER
    return values.to(numbers.dtype.element_ty)


@triton.jit
@no_type_check
def _turned(values, square, LENGTH: tl.constexpr):
    """Every 256 values, as a square of 16, between two rotations of 16."""
    place = tl.arange(0, 16)
    turn = tl.load(square + place[:, None] * 16 + place[None, :])
    rows = tl.dot(tl.reshape(values, (LENGTH // 16, 16)), turn, input_precision="tf32")
    upright = tl.permute(tl.reshape(rows, (LENGTH // 256, 16, 16)), (0, 2, 1))
    columns = tl.dot(tl.reshape(upright, (LENGTH // 16, 16)), turn, input_precision="tf32")
    return tl.reshape(tl.permute(tl.reshape(columns, (LENGTH // 256, 16, 16)), (0, 2, 1)), (LENGTH,))
