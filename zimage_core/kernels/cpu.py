"""Kernels for the CPU: PyTorch operations with few passes over memory (its own rms_norm makes six or more there).

They overwrite tensors allocated here and those the caller hands over for it (`qkv`, `gate`). They have no gradients.

Letters: b batch, n tokens, d width, h heads, e head width, f feed-forward width.
"""

from functools import lru_cache

import torch
from einops import rearrange
from torch import Tensor

from .._shapes import Float
from .plain import QKV, Rope, rope_as_complex
from .scale_row import ScaleRow, SplitRow, scale_


def norm(x: Float[Tensor, "b n d"], row: ScaleRow, eps: float) -> Float[Tensor, "b n d"]:
    """RMSNorm: x / rms(x) · row, in three passes."""
    return scale_(_normed(x, eps), row)


def add_normed(
    x: Float[Tensor, "b n d"], y: Float[Tensor, "b n d"], row: ScaleRow, eps: float
) -> Float[Tensor, "b n d"]:
    """x + norm(y) in three passes; multiply-add is one operation that rounds once."""
    normed = _normed(y, eps)
    return x + scale_(normed, row) if isinstance(row, SplitRow) else torch.addcmul(x, normed, row)


def qk_norm_rope(
    qkv: Float[Tensor, "b n _"], weights: Float[Tensor, "2 1 e"], rope: Rope, n_heads: int, eps: float
) -> QKV:
    """Normed and rotated queries and keys, and values; float32 throughout, rounded once at the end."""
    heads = rearrange(qkv, "b n (three h e) -> b n three h e", three=3, h=n_heads)
    qk = heads[:, :, :2]  # (b, n, 2, h, e)
    width = qk.shape[-1]
    # rms_norm(x) = sqrt(e) · x / sqrt(|x|² + e·eps)
    length = torch.linalg.vector_norm(qk, dim=-1, keepdim=True, dtype=torch.float32)
    length = torch.hypot(length, _scalar((width * eps) ** 0.5))
    normed = torch.addcdiv(_scalar(0.0), qk, length, value=width**0.5)  # 0 + sqrt(e) · qk / length, in one pass
    normed.mul_(weights)
    torch.view_as_complex(normed.unflatten(-1, (-1, 2))).mul_(rope_as_complex(rope)[:, :, None])
    q, k = rearrange(normed.to(qkv.dtype), "b n two h e -> two b h n e")
    return q, k, rearrange(heads[:, :, 2], "b n h e -> b h n e")


def _normed(x: Float[Tensor, "b n d"], eps: float) -> Float[Tensor, "b n d"]:
    """RMS-normed tokens, without a weight, in two passes.

    Uses batch norm in evaluation mode, with tokens as its channels, mean 0, variance |x|² and weight sqrt(d): it
    computes (x - 0)·sqrt(d) / sqrt(|x|² + d·eps) in one pass, in float32, and rounds once.
    """
    tokens, width = x.shape[:-1].numel(), x.shape[-1]
    sums_of_squares = torch.linalg.vector_norm(x, dim=-1, dtype=torch.float32).square_().view(tokens)
    zeros, weight = _vector(0.0, tokens), _vector(width**0.5, tokens)
    normed, *_ = torch.native_batch_norm(
        x.reshape(1, tokens, width), weight, zeros, zeros, sums_of_squares, False, 0.0, width * eps
    )
    return normed.view(x.shape)


@lru_cache(maxsize=64)
def _scalar(value: float) -> Tensor:
    return torch.tensor([value])


@lru_cache(maxsize=16)
def _vector(value: float, length: int) -> Float[Tensor, " length"]:
    return torch.full((length,), value)
