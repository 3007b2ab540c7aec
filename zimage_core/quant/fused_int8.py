"""An int8 GEMM in Triton that applies both scales before it writes its result to memory, and the scaling alone.

Imported only if Triton is installed and the tensors are on a GPU; `int8.py` uses the kernels only if they are measured
to be faster than PyTorch's.

Letters: n rows of the left matrix, i input width, o rows of the right matrix (output width).
"""
# pyright: basic, reportArgumentType=false, reportCallIssue=false
# Triton compiles functions from their source code, so jaxtyping must not wrap them, and its language has no types.

from typing import no_type_check

import torch
import triton
import triton.language as tl
from torch import Tensor

from .._shapes import Float, Int
from ..kernels import QuantizedTensor

TILE_N, TILE_O, TILE_I = 128, 128, 128  # rows, columns and reduction steps of one program; powers of two
LAUNCH = {"num_warps": 8, "num_stages": 3}  # loads are two tiles ahead of the tensor cores
GROUP_TILES = (
    8  # tiles of rows whose programs run one after another, so that they find the same columns in the L2 cache
)
CHUNK = 1024  # elements that one program of the scaling kernel processes


def scaled_gemm(left: QuantizedTensor, right: QuantizedTensor) -> Float[Tensor, "n o"]:
    """left @ right.T with both scales applied, in the dtype of `left`."""
    (n, width), o = left.values.shape, len(right.values)
    out = left.values.new_empty((n, o), dtype=left.dtype)
    with torch.cuda.device_of(out):
        _gemm[(triton.cdiv(n, TILE_N) * triton.cdiv(o, TILE_O),)](
            left.values, right.values, left.scale, right.scale, out, n, o,
            WIDTH=width, TILE_N=TILE_N, TILE_O=TILE_O, TILE_I=TILE_I, GROUP_TILES=GROUP_TILES, **LAUNCH,
        )  # fmt: skip
    return out


def apply_scales(
    accumulated: Int[Tensor, "n o"], left: QuantizedTensor, right: QuantizedTensor
) -> Float[Tensor, "n o"]:
    """The int32 result of an int8 GEMM times both scales, in the dtype of `left`: read once, written once."""
    n, o = accumulated.shape
    out = torch.empty_like(accumulated, dtype=left.dtype)
    with torch.cuda.device_of(out):
        _scale[(n, triton.cdiv(o, CHUNK))](accumulated, left.scale, right.scale, out, o, CHUNK=CHUNK)
    return out


@triton.jit
@no_type_check
def _gemm(
    left, right, left_scale, right_scale, out, n, o,
    WIDTH: tl.constexpr, TILE_N: tl.constexpr, TILE_O: tl.constexpr, TILE_I: tl.constexpr, GROUP_TILES: tl.constexpr,
):  # fmt: skip
    tiles_n, tiles_o = tl.cdiv(n, TILE_N), tl.cdiv(o, TILE_O)
    group, within = tl.program_id(0) // (GROUP_TILES * tiles_o), tl.program_id(0) % (GROUP_TILES * tiles_o)
    height = min(tiles_n - group * GROUP_TILES, GROUP_TILES)
    row = ((group * GROUP_TILES + within % height) * TILE_N + tl.arange(0, TILE_N)).to(tl.int64)
    column = ((within // height) * TILE_O + tl.arange(0, TILE_O)).to(tl.int64)
    step = tl.arange(0, TILE_I)
    left_tile = left + row[:, None] * WIDTH + step[None, :]
    right_tile = right + column[None, :] * WIDTH + step[:, None]
    total = tl.zeros((TILE_N, TILE_O), tl.int32)
    for start in range(0, WIDTH, TILE_I):
        inside = start + step < WIDTH
        a = tl.load(left_tile + start, mask=(row < n)[:, None] & inside[None, :], other=0)
        b = tl.load(right_tile + start, mask=(column < o)[None, :] & inside[:, None], other=0)
        total = tl.dot(a, b, total, out_dtype=tl.int32)
    row_scale = tl.load(left_scale + row, mask=row < n, other=0.0)
    column_scale = tl.load(right_scale + column, mask=column < o, other=0.0)
    values = total.to(tl.float32) * row_scale[:, None] * column_scale[None, :]
    target = out + row[:, None] * o + column[None, :]
    tl.store(target, values.to(out.dtype.element_ty), mask=(row < n)[:, None] & (column < o)[None, :])


@triton.jit
@no_type_check
def _scale(accumulated, left_scale, right_scale, out, o, CHUNK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * CHUNK + tl.arange(0, CHUNK)
    inside = column < o
    values = tl.load(accumulated + row * o + column, mask=inside, other=0).to(tl.float32)
    values *= tl.load(left_scale + row) * tl.load(right_scale + column, mask=inside, other=0.0)
    tl.store(out + row * o + column, values.to(out.dtype.element_ty), mask=inside)
