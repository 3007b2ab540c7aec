"""Stock operations that are single kernels on a graphics card.

Letters: b batch, n tokens, d width, h heads, e head width, f feed-forward width.
"""

import torch
from einops import rearrange
from torch import Tensor
from torch.nn.functional import rms_norm

from .._shapes import Float
from .plain import Heads, Rope, turns
from .scale_row import Row, Split, as_weight, scale_


def norm(x: Float[Tensor, "b n d"], row: Row, eps: float) -> Float[Tensor, "b n d"]:
    """RMS-normed tokens times a row: one kernel where the row can be the norm's weight."""
    weight = as_weight(row, x)
    normed = rms_norm(x, x.shape[-1:], weight, eps)
    return normed if weight is not None else scale_(normed, row)


def add_normed(x: Float[Tensor, "b n d"], y: Float[Tensor, "b n d"], row: Row, eps: float) -> Float[Tensor, "b n d"]:
    """x + norm(y): two kernels; product and sum are rounded once."""
    normed = rms_norm(y, y.shape[-1:], eps=eps)
    return x + scale_(normed, row) if isinstance(row, Split) else torch.addcmul(x, normed, row)


def heads(qkv: Float[Tensor, "b n _"], weights: Float[Tensor, "2 1 e"], rope: Rope, n_heads: int, eps: float) -> Heads:
    """Normed and rotated queries and keys, and values."""
    pairs = rearrange(qkv, "b n (three h e) -> b n three h e", three=3, h=n_heads)
    qk = rms_norm(pairs[:, :, :2], pairs.shape[-1:], eps=eps).float().mul_(weights)  # (b, n, 2, h, e)
    torch.view_as_complex(qk.unflatten(-1, (-1, 2))).mul_(turns(rope)[:, :, None])
    q, k = rearrange(qk.to(qkv.dtype), "b n two h e -> two b h n e")
    return q, k, rearrange(pairs[:, :, 2], "b n h e -> b h n e")
