"""Few passes over memory with stock operations on a processor, where PyTorch's own rms_norm is six and more.

Writes only into tensors made here or handed over by the caller for that (`qkv`, `gate`). It has no gradients.

Letters: b batch, n tokens, d width, h heads, e head width, f feed-forward width.
"""

from functools import lru_cache

import torch
from einops import rearrange
from torch import Tensor

from .._shapes import Float
from .plain import Heads, Rope, turns
from .scale_row import Row, Split, scale_


def norm(x: Float[Tensor, "b n d"], row: Row, eps: float) -> Float[Tensor, "b n d"]:
    """RMS-normed tokens times a row: three passes."""
    return scale_(_normed(x, eps), row)


def add_normed(x: Float[Tensor, "b n d"], y: Float[Tensor, "b n d"], row: Row, eps: float) -> Float[Tensor, "b n d"]:
    """x + norm(y): three passes; product and sum are rounded once."""
    normed = _normed(y, eps)
    return x + scale_(normed, row) if isinstance(row, Split) else torch.addcmul(x, normed, row)


def heads(qkv: Float[Tensor, "b n _"], weights: Float[Tensor, "2 1 e"], rope: Rope, n_heads: int, eps: float) -> Heads:
    """Normed and rotated queries and keys, and values; float32 throughout, rounded once."""
    pairs = rearrange(qkv, "b n (three h e) -> b n three h e", three=3, h=n_heads)
    qk = pairs[:, :, :2]  # (b, n, 2, h, e)
    width = qk.shape[-1]
    length = torch.linalg.vector_norm(qk, dim=-1, keepdim=True, dtype=torch.float32)
    length = torch.hypot(length, _number((width * eps) ** 0.5))
    unit = torch.addcdiv(_number(0.0), qk, length, value=width**0.5)  # a quotient with a factor, in one pass
    unit.mul_(weights)
    torch.view_as_complex(unit.unflatten(-1, (-1, 2))).mul_(turns(rope)[:, :, None])
    q, k = rearrange(unit.to(qkv.dtype), "b n two h e -> two b h n e")
    return q, k, rearrange(pairs[:, :, 2], "b n h e -> b h n e")


def _normed(x: Float[Tensor, "b n d"], eps: float) -> Float[Tensor, "b n d"]:
    """RMS-normed tokens in two passes.

    Batch norm with given statistics is (x - 0)·sqrt(d / (|x|² + d·eps)) in one pass, float32 inside, rounded once:
    tokens stand where its channels do.
    """
    tokens, width = x.shape[:-1].numel(), x.shape[-1]
    squares = torch.linalg.vector_norm(x, dim=-1, dtype=torch.float32).square_().view(tokens)
    zeros, factor = _vector(0.0, tokens), _vector(width**0.5, tokens)
    normed, *_ = torch.native_batch_norm(
        x.reshape(1, tokens, width), factor, zeros, zeros, squares, False, 0.0, width * eps
    )
    return normed.view(x.shape)


@lru_cache(maxsize=64)
def _number(value: float) -> Tensor:
    return torch.tensor([value])


@lru_cache(maxsize=16)
def _vector(value: float, length: int) -> Float[Tensor, " length"]:
    return torch.full((length,), value)
