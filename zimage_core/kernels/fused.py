"""Kernels in Triton: each is one GPU kernel that reads its inputs once and writes its output once.

They compute in float32 and round once, at the end. Imported only if Triton is installed and the tensors are on a GPU;
`fastest.py` uses them only if they are measured to be faster than PyTorch's kernels.

Letters: b batch, n tokens, d width, h heads, e head width, m = e/2 rotated pairs, f feed-forward width.
"""
# pyright: basic, reportArgumentType=false, reportCallIssue=false
# Triton compiles functions from their source code, so jaxtyping must not wrap them, and its language has no types.

from typing import no_type_check

import torch
import triton
import triton.language as tl
from torch import Tensor

from .._shapes import Float
from .plain import QKV, Rope
from .scale_row import ScaleRow, SplitRow

CHUNK = 1024  # elements of a SwiGLU that one program computes


def norm(x: Float[Tensor, "b n d"], row: ScaleRow, eps: float) -> Float[Tensor, "b n d"]:
    """RMSNorm: x / rms(x) · row."""
    return _launch_norm(x, None, row, eps)


def add_normed(
    x: Float[Tensor, "b n d"], y: Float[Tensor, "b n d"], row: ScaleRow, eps: float
) -> Float[Tensor, "b n d"]:
    """x + norm(y)."""
    return _launch_norm(y, x, row, eps)


def qk_norm_rope(
    qkv: Float[Tensor, "b n _"], weights: Float[Tensor, "2 1 e"], rope: Rope, n_heads: int, eps: float
) -> QKV:
    """Normed and rotated queries and keys, which overwrite those in `qkv`, and values; all three are views of it."""
    b, n, _ = qkv.shape
    heads = qkv.view(b, n, 3, n_heads, -1)
    width = heads.shape[-1]
    # the stride of an axis that is broadcast is 0
    rope_strides = (0 if rope.shape[0] == 1 else rope.stride(0), rope.stride(1), rope.stride(-3), rope.stride(-2))
    with torch.cuda.device_of(qkv):
        _qk_norm_rope[(b * n, 2)](
            qkv, weights.contiguous(), rope, qkv.stride(1), n, *rope_strides, eps,
            N_HEADS=n_heads, HEADS=triton.next_power_of_2(n_heads), WIDTH=width, BLOCK=triton.next_power_of_2(width),
        )  # fmt: skip
    q, k, v = heads.unbind(2)
    return q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)


def swiglu(gate: Float[Tensor, "b n f"], up: Float[Tensor, "b n f"]) -> Float[Tensor, "b n f"]:
    """silu(gate) · up, which overwrites `gate`."""
    size = gate.numel()
    with torch.cuda.device_of(gate):
        _swiglu[(triton.cdiv(size, CHUNK),)](gate, up, size, CHUNK=CHUNK)
    return gate


def _launch_norm(y: Float[Tensor, "b n d"], x: Tensor | None, row: ScaleRow, eps: float) -> Float[Tensor, "b n d"]:
    """norm(y), or x + norm(y); one program per token."""
    y, (b, n, d) = y.contiguous(), y.shape
    out = torch.empty_like(y)
    residual = y if x is None else x.contiguous()
    clean, noisy, *row_layout = row_arguments(row)
    with torch.cuda.device_of(y):
        _norm[(b * n,)](
            residual, y, clean, noisy, out, n, *row_layout, eps,
            WIDTH=d, BLOCK=triton.next_power_of_2(d), HAS_RESIDUAL=x is not None,
        )  # fmt: skip
    return out


def row_arguments(row: ScaleRow) -> tuple[Tensor, Tensor, int, int, int]:
    """The arguments of a scale row: clean row, noisy row, index of the first noisy token, batch stride of each row."""
    clean, noisy, start = row if isinstance(row, SplitRow) else (row, row, 0)
    clean, noisy = clean.contiguous(), noisy.contiguous()
    clean_stride, noisy_stride = (0 if each.shape[0] == 1 else each.stride(0) for each in (clean, noisy))
    return clean, noisy, start, clean_stride, noisy_stride


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
    """One token, RMS-normed and times its scale row: of its batch item, and clean or noisy."""
    item, position = token // n, token % n
    inside = column < WIDTH
    values = tl.load(y + token * WIDTH + column, mask=inside, other=0.0).to(tl.float32)
    scale = tl.rsqrt(tl.sum(values * values, axis=0) / WIDTH + eps)
    if position < start:
        row = tl.load(clean + item * clean_stride + column, mask=inside, other=0.0)
    else:
        row = tl.load(noisy + item * noisy_stride + column, mask=inside, other=0.0)
    return values * scale * row.to(tl.float32)


@triton.jit
@no_type_check
def _qk_norm_rope(
    qkv, weights, rope, token_stride, n, item_stride, position_stride, pair_stride, matrix_row_stride, eps,
    N_HEADS: tl.constexpr, HEADS: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    token, which = tl.program_id(0).to(tl.int64), tl.program_id(1)  # 0 for queries, 1 for keys
    item, position = token // n, token % n
    head, column = tl.arange(0, HEADS), tl.arange(0, BLOCK)
    inside = (head < N_HEADS)[:, None] & (column < WIDTH)[None, :]
    heads = qkv + token * token_stride + (which * N_HEADS + head)[:, None] * WIDTH + column[None, :]
    values = tl.load(heads, mask=inside, other=0.0).to(tl.float32)
    scale = tl.rsqrt(tl.sum(values * values, axis=1) / WIDTH + eps)
    weight = tl.load(weights + which * WIDTH + column, mask=column < WIDTH, other=0.0).to(tl.float32)
    values = values * scale[:, None] * weight[None, :]
    even, odd = tl.split(tl.reshape(values, (HEADS, BLOCK // 2, 2)))
    # the first column of a rotation matrix is (cos, sin)
    pair = tl.arange(0, BLOCK // 2)
    angle = rope + item * item_stride + position * position_stride + pair * pair_stride
    cos = tl.load(angle, mask=pair < WIDTH // 2, other=0.0)[None, :]
    sin = tl.load(angle + matrix_row_stride, mask=pair < WIDTH // 2, other=0.0)[None, :]
    rotated = tl.join(cos * even - sin * odd, sin * even + cos * odd)
    tl.store(heads, tl.reshape(rotated, (HEADS, BLOCK)).to(qkv.dtype.element_ty), mask=inside)


@triton.jit
@no_type_check
def _swiglu(gate, up, size, CHUNK: tl.constexpr):
    offset = tl.program_id(0).to(tl.int64) * CHUNK + tl.arange(0, CHUNK)
    inside = offset < size
    g = tl.load(gate + offset, mask=inside, other=0.0).to(tl.float32)
    u = tl.load(up + offset, mask=inside, other=0.0).to(tl.float32)
    tl.store(gate + offset, (g * tl.sigmoid(g) * u).to(gate.dtype.element_ty), mask=inside)
