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
from .rows import Row, Split

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
    _turn[(b * n, 2 * n_heads)](
        qkv, weights.contiguous(), rope, qkv.stride(1), n, *of_rope, eps,
        N_HEADS=n_heads, WIDTH=width, HALF=triton.next_power_of_2(width // 2),
    )  # fmt: skip
    q, k, v = pairs.unbind(2)
    return q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)


def swiglu(gate: Float[Tensor, "b n f"], up: Float[Tensor, "b n f"]) -> Float[Tensor, "b n f"]:
    """silu(gate) · up, written over `gate`."""
    size = gate.numel()
    _swiglu[(triton.cdiv(size, PIECE),)](gate, up, size, PIECE=PIECE)
    return gate


def _rows(y: Float[Tensor, "b n d"], x: Tensor | None, row: Row, eps: float) -> Float[Tensor, "b n d"]:
    """norm(y), or x + norm(y), a program for every token."""
    clean, noisy, start = row if isinstance(row, Split) else (row, row, 0)
    first, second = clean.contiguous(), noisy.contiguous()
    y, (b, n, d) = y.contiguous(), y.shape
    out = torch.empty_like(y)
    residual = y if x is None else x.contiguous()
    strides = [0 if each.shape[0] == 1 else each.stride(0) for each in (first, second)]
    _norm[(b * n,)](
        residual, y, first, second, out, n, start, *strides, eps,
        WIDTH=d, BLOCK=triton.next_power_of_2(d), HAS_RESIDUAL=x is not None,
    )  # fmt: skip
    return out


@triton.jit
@no_type_check
def _norm(
    x, y, clean, noisy, out, n, start, clean_stride, noisy_stride, eps,
    WIDTH: tl.constexpr, BLOCK: tl.constexpr, HAS_RESIDUAL: tl.constexpr,
):  # fmt: skip
    token = tl.program_id(0).to(tl.int64)
    item, place = token // n, token % n
    column = tl.arange(0, BLOCK)
    inside = column < WIDTH
    values = tl.load(y + token * WIDTH + column, mask=inside, other=0.0).to(tl.float32)
    scale = tl.rsqrt(tl.sum(values * values, axis=0) / WIDTH + eps)
    if place < start:
        row = tl.load(clean + item * clean_stride + column, mask=inside, other=0.0)
    else:
        row = tl.load(noisy + item * noisy_stride + column, mask=inside, other=0.0)
    values = values * scale * row.to(tl.float32)
    if HAS_RESIDUAL:
        values += tl.load(x + token * WIDTH + column, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + token * WIDTH + column, values.to(out.dtype.element_ty), mask=inside)


@triton.jit
@no_type_check
def _turn(
    qkv, weights, rope, token_stride, n, item_stride, place_stride, pair_stride, row_stride, eps,
    N_HEADS: tl.constexpr, WIDTH: tl.constexpr, HALF: tl.constexpr,
):  # fmt: skip
    token = tl.program_id(0).to(tl.int64)
    part = tl.program_id(1)  # heads of queries, then heads of keys
    item, place = token // n, token % n
    pair = tl.arange(0, HALF)
    inside = pair < WIDTH // 2
    head = qkv + token * token_stride + part * WIDTH + 2 * pair
    even = tl.load(head, mask=inside, other=0.0).to(tl.float32)
    odd = tl.load(head + 1, mask=inside, other=0.0).to(tl.float32)
    scale = tl.rsqrt(tl.sum(even * even + odd * odd, axis=0) / WIDTH + eps)
    weight = weights + (part // N_HEADS) * WIDTH + 2 * pair
    even = even * scale * tl.load(weight, mask=inside, other=0.0).to(tl.float32)
    odd = odd * scale * tl.load(weight + 1, mask=inside, other=0.0).to(tl.float32)
    # the first column of the matrix is (cos, sin)
    angle = rope + item * item_stride + place * place_stride + pair * pair_stride
    cos, sin = tl.load(angle, mask=inside, other=0.0), tl.load(angle + row_stride, mask=inside, other=0.0)
    tl.store(head, (cos * even - sin * odd).to(qkv.dtype.element_ty), mask=inside)
    tl.store(head + 1, (sin * even + cos * odd).to(qkv.dtype.element_ty), mask=inside)


@triton.jit
@no_type_check
def _swiglu(gate, up, size, PIECE: tl.constexpr):
    place = tl.program_id(0).to(tl.int64) * PIECE + tl.arange(0, PIECE)
    inside = place < size
    g = tl.load(gate + place, mask=inside, other=0.0).to(tl.float32)
    u = tl.load(up + place, mask=inside, other=0.0).to(tl.float32)
    tl.store(gate + place, (g * tl.sigmoid(g) * u).to(gate.dtype.element_ty), mask=inside)
