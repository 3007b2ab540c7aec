"""The block's elementwise mathematics in the open: any device, any type, and gradients.

The other sets of kernels are held against this one. Statistics and rotations are computed in float32 and results come
back in the input's type: where a set rounds to 16 bits is part of what it promises (docs/architecture.md).

Letters: b batch, n tokens, d width, h heads, e head width, m = e/2 rotated pairs, f feed-forward width.
"""

import torch
from einops import rearrange
from torch import Tensor
from torch.nn.functional import rms_norm, silu

from .._shapes import Float
from .scale_row import Row, scaled

Rope = Float[Tensor, "r n 1 m 2 2"]  # rotation matrices; r is 1, or the batch where items sit at different positions
Heads = tuple[Float[Tensor, "b h n e"], Float[Tensor, "b h n e"], Float[Tensor, "b h n e"]]


def norm(x: Float[Tensor, "b n d"], row: Row, eps: float) -> Float[Tensor, "b n d"]:
    """RMS-normed tokens times a row."""
    return scaled(rms_norm(x, x.shape[-1:], eps=eps), row)


def add_normed(x: Float[Tensor, "b n d"], y: Float[Tensor, "b n d"], row: Row, eps: float) -> Float[Tensor, "b n d"]:
    """x + norm(y): the gated residual."""
    return x + norm(y, row, eps)


def heads(qkv: Float[Tensor, "b n _"], weights: Float[Tensor, "2 1 e"], rope: Rope, n_heads: int, eps: float) -> Heads:
    """Normed and rotated queries and keys, and values; `weights` are the query norm's and the key norm's."""
    q, k, v = rearrange(qkv, "b n (three h e) -> three b n h e", three=3, h=n_heads)
    q, k = (rotate(rms_norm(x, x.shape[-1:], eps=eps) * w, rope) for x, w in zip((q, k), weights, strict=True))
    return rearrange(q, "b n h e -> b h n e"), rearrange(k, "b n h e -> b h n e"), rearrange(v, "b n h e -> b h n e")


def swiglu(gate: Float[Tensor, "b n f"], up: Float[Tensor, "b n f"]) -> Float[Tensor, "b n f"]:
    """silu(gate) · up."""
    return silu(gate) * up


def swiglu_in_place(gate: Float[Tensor, "b n f"], up: Float[Tensor, "b n f"]) -> Float[Tensor, "b n f"]:
    """The same written over `gate`, for who needs no gradients."""
    return silu(gate, inplace=True).mul_(up)


def rotate(x: Float[Tensor, "b n h e"], rope: Rope) -> Float[Tensor, "b n h e"]:
    """Turn every channel pair (2m, 2m+1) of every head by its token's angle: in float32, returned in x's dtype."""
    even, odd = x.float().unflatten(-1, (-1, 2)).unbind(-1)  # 2 x (b, n, h, m)
    turned = rope[..., 0] * even[..., None] + rope[..., 1] * odd[..., None]  # (b, n, h, m, 2)
    return turned.flatten(-2).to(x.dtype)


def turns(rope: Rope) -> Tensor:
    """The table as complex numbers (r, n, 1, m): without a copy where the table is stored column by column."""
    column = rope[..., 0]
    return torch.view_as_complex(column if column.stride(-1) == 1 else column.contiguous())
