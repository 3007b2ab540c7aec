"""One Triton kernel for each piece of elementwise work: everything is read once and written once.

Sums, norms and rotations are float32 inside and rounded once at the end. Imported only where Triton is installed and
a graphics card is there to run it; kernels/choice.py measures whether it pays.

Letters: b batch, n tokens, d width, h heads, e head width, m = e/2 rotated pairs, f feed-forward width.
"""
# pyright: basic, reportArgumentType=false, reportCallIssue=false
# Triton compiles functions from their text, so nothing may wrap them first, and its language has no types.

from typing import no_type_check

import torch
import triton
import triton.language as tl
from torch import Tensor

from .._shapes import Float
from .plain import Heads, Rope
from .scale_row import Row, Split

PIECE = 1024  # elements of a SwiGLU that one program makes


def norm(x: Float[Tensor, "b n d"], row: Row, eps: float) -> Float[Tensor, "b n d"]:
    """RMS-normed tokens times a row."""
    return _rows(x, None, row, eps)


def add_normed(x: Float[Tensor, "b n d"], y: Float[Tensor, "b n d"], row: Row, eps: float) -> Float[Tensor, "b n d"]:
    """x + norm(y)."""
    return _rows(y, x, row, eps)


def heads(qkv: Float[Tensor, "b n _"], weights: Float[Tensor, "2 1 e"], rope: Rope, n_heads: int, eps: float) -> Heads:
    """Normed and rotated queries and keys, written over those in `qkv`, and values."""
    b, n, _ = qkv.shape
    pairs = qkv.view(b, n, 3, n_heads, -1)
    width = pairs.shape[-1]
    of_rope = (0 if rope.shape[0] == 1 else rope.stride(0), rope.stride(1), rope.stride(-3), rope.stride(-2))
    with torch.cuda.device_of(qkv):
        _turn[(b * n, 2)](
            qkv, weights.contiguous(), rope, qkv.stride(1), n, *of_rope, eps,
            N_HEADS=n_heads, HEADS=triton.next_power_of_2(n_heads), WIDTH=width, BLOCK=triton.next_power_of_2(width),
        )  # fmt: skip
    q, k, v = pairs.unbind(2)
    return q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)


def swiglu(gate: Float[Tensor, "b n f"], up: Float[Tensor, "b n f"]) -> Float[Tensor, "b n f"]:
    """silu(gate) · up, written over `gate`."""
    size = gate.numel()
    with torch.cuda.device_of(gate):
        _swiglu[(triton.cdiv(size, PIECE),)](gate, up, size, PIECE=PIECE)
    return gate


def _rows(y: Float[Tensor, "b n d"], x: Tensor | None, row: Row, eps: float) -> Float[Tensor, "b n d"]:
    """norm(y), or x + norm(y), a program for every token."""
    y, (b, n, d) = y.contiguous(), y.shape
    out = torch.empty_like(y)
    residual = y if x is None else x.contiguous()
    clean, noisy, *places = of_row(row)
    with torch.cuda.device_of(y):
        _norm[(b * n,)](
            residual, y, clean, noisy, out, n, *places, eps,
            WIDTH=d, BLOCK=triton.next_power_of_2(d), HAS_RESIDUAL=x is not None,
        )  # fmt: skip
    return out


def of_row(row: Row) -> tuple[Tensor, Tensor, int, int, int]:
    """A row as kernels take it: that of clean tokens and of noisy ones, where these begin, and from item to item."""
    clean, noisy, start = row if isinstance(row, Split) else (row, row, 0)
    clean, noisy = clean.contiguous(), noisy.contiguous()
    from_clean, from_noisy = (0 if each.shape[0] == 1 else each.stride(0) for each in (clean, noisy))
    return clean, noisy, start, from_clean, from_noisy


@triton.jit
@no_type_check
def _norm(
    x, y, clean, noisy, out, n, start, clean_stride, noisy_stride, eps,
    WIDTH: tl.constexpr, BLOCK: tl.constexpr, HAS_RESIDUAL: tl.constexpr,
):  # fmt: skip
    token = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    inside = column < WIDTH
    values = normed_token(y, clean, noisy, token, column, n, start, clean_stride, noisy_stride, eps, WIDTH)
    if HAS_RESIDUAL:
        values += tl.load(x + token * WIDTH + column, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + token * WIDTH + column, values.to(out.dtype.element_ty), mask=inside)


@triton.jit
@no_type_check
def normed_token(
    y, clean, noisy, token, column, n, start, clean_stride, noisy_stride, eps, WIDTH: tl.constexpr
):  # fmt: skip
    """One token, normed and times the row of its item and kind."""
    item, place = token // n, token % n
    inside = column < WIDTH
    values = tl.load(y + token * WIDTH + column, mask=inside, other=0.0).to(tl.float32)
    scale = tl.rsqrt(tl.sum(values * values, axis=0) / WIDTH + eps)
    if place < start:
        row = tl.load(clean + item * clean_stride + column, mask=inside, other=0.0)
    else:
        row = tl.load(noisy + item * noisy_stride + column, mask=inside, other=0.0)
    return values * scale * row.to(tl.float32)


@triton.jit
@no_type_check
def _turn(
    qkv, weights, rope, token_stride, n, item_stride, place_stride, pair_stride, row_stride, eps,
    N_HEADS: tl.constexpr, HEADS: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    token, which = tl.program_id(0).to(tl.int64), tl.program_id(1)  # 0 for queries, 1 for keys
    item, place = token // n, token % n
    head, column = tl.arange(0, HEADS), tl.arange(0, BLOCK)
    inside = (head < N_HEADS)[:, None] & (column < WIDTH)[None, :]
    heads = qkv + token * token_stride + (which * N_HEADS + head)[:, None] * WIDTH + column[None, :]
    values = tl.load(heads, mask=inside, other=0.0).to(tl.float32)
    scale = tl.rsqrt(tl.sum(values * values, axis=1) / WIDTH + eps)
    weight = tl.load(weights + which * WIDTH + column, mask=column < WIDTH, other=0.0).to(tl.float32)
    values = values * scale[:, None] * weight[None, :]
    even, odd = tl.split(tl.reshape(values, (HEADS, BLOCK // 2, 2)))
    # the first column of the matrix is (cos, sin)
    pair = tl.arange(0, BLOCK // 2)
    angle = rope + item * item_stride + place * place_stride + pair * pair_stride
    cos = tl.load(angle, mask=pair < WIDTH // 2, other=0.0)[None, :]
    sin = tl.load(angle + row_stride, mask=pair < WIDTH // 2, other=0.0)[None, :]
    turned = tl.join(cos * even - sin * odd, sin * even + cos * odd)
    tl.store(heads, tl.reshape(turned, (HEADS, BLOCK)).to(qkv.dtype.element_ty), mask=inside)


@triton.jit
@no_type_check
def _swiglu(gate, up, size, PIECE: tl.constexpr):
    place = tl.program_id(0).to(tl.int64) * PIECE + tl.arange(0, PIECE)
    inside = place < size
    g = tl.load(gate + place, mask=inside, other=0.0).to(tl.float32)
    u = tl.load(up + place, mask=inside, other=0.0).to(tl.float32)
    tl.store(gate + place, (g * tl.sigmoid(g) * u).to(gate.dtype.element_ty), mask=inside)
