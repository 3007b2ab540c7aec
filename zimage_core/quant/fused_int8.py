"""Products of 8-bit whole numbers by Triton, both scales applied before anything reaches memory.

Imported only where Triton is installed and a graphics card is there to run it; `int8.py` measures whether it pays.

Letters: n rows of a product, i input width, o output width.
"""
# pyright: basic, reportArgumentType=false, reportCallIssue=false
# Triton compiles functions from their text, so nothing may wrap them first, and its language has no types.

from typing import no_type_check

import torch
import triton
import triton.language as tl
from torch import Tensor

from .._shapes import Float, Int
from ..kernels import Rows

TILE_N, TILE_O, TILE_I = 128, 128, 128  # of one program; a power of two each
LAUNCH = {"num_warps": 8, "num_stages": 3}  # loads run two tiles ahead
BAND = 8  # tiles of rows that run side by side, so that they read the same columns while those are near
PIECE = 1024  # elements that one program scales


def scaled_product(left: Rows, right: Rows) -> Float[Tensor, "n o"]:
    """left · right.T with both scales, in the left's own type."""
    (n, width), o = left.numbers.shape, len(right.numbers)
    out = left.numbers.new_empty((n, o), dtype=left.dtype)
    with torch.cuda.device_of(out):
        _multiply[(triton.cdiv(n, TILE_N) * triton.cdiv(o, TILE_O),)](
            left.numbers, right.numbers, left.scale, right.scale, out, n, o,
            WIDTH=width, TILE_N=TILE_N, TILE_O=TILE_O, TILE_I=TILE_I, BAND=BAND, **LAUNCH,
        )  # fmt: skip
    return out


def scaled(product: Int[Tensor, "n o"], left: Rows, right: Rows) -> Float[Tensor, "n o"]:
    """A product in 32-bit whole numbers with both scales, in the left's own type: read once, written once."""
    n, o = product.shape
    out = torch.empty_like(product, dtype=left.dtype)
    with torch.cuda.device_of(out):
        _scale[(n, triton.cdiv(o, PIECE))](product, left.scale, right.scale, out, o, PIECE=PIECE)
    return out


@triton.jit
@no_type_check
def _multiply(
    left, right, left_scale, right_scale, out, n, o,
    WIDTH: tl.constexpr, TILE_N: tl.constexpr, TILE_O: tl.constexpr, TILE_I: tl.constexpr, BAND: tl.constexpr,
):  # fmt: skip
    tiles_n, tiles_o = tl.cdiv(n, TILE_N), tl.cdiv(o, TILE_O)
    band, within = tl.program_id(0) // (BAND * tiles_o), tl.program_id(0) % (BAND * tiles_o)
    height = min(tiles_n - band * BAND, BAND)
    row = ((band * BAND + within % height) * TILE_N + tl.arange(0, TILE_N)).to(tl.int64)
    column = ((within // height) * TILE_O + tl.arange(0, TILE_O)).to(tl.int64)
    place = tl.arange(0, TILE_I)
    rows = left + row[:, None] * WIDTH + place[None, :]
    columns = right + column[None, :] * WIDTH + place[:, None]
    total = tl.zeros((TILE_N, TILE_O), tl.int32)
    for start in range(0, WIDTH, TILE_I):
        inside = start + place < WIDTH
        one = tl.load(rows + start, mask=(row < n)[:, None] & inside[None, :], other=0)
        other = tl.load(columns + start, mask=(column < o)[None, :] & inside[:, None], other=0)
        total = tl.dot(one, other, total, out_dtype=tl.int32)
    by_row = tl.load(left_scale + row, mask=row < n, other=0.0)
    by_column = tl.load(right_scale + column, mask=column < o, other=0.0)
    values = total.to(tl.float32) * by_row[:, None] * by_column[None, :]
    target = out + row[:, None] * o + column[None, :]
    tl.store(target, values.to(out.dtype.element_ty), mask=(row < n)[:, None] & (column < o)[None, :])


@triton.jit
@no_type_check
def _scale(product, left_scale, right_scale, out, o, PIECE: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * PIECE + tl.arange(0, PIECE)
    inside = column < o
    values = tl.load(product + row * o + column, mask=inside, other=0).to(tl.float32)
    values *= tl.load(left_scale + row) * tl.load(right_scale + column, mask=inside, other=0.0)
    tl.store(out + row * o + column, values.to(out.dtype.element_ty), mask=inside)
