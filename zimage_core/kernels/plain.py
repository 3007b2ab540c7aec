"""The reference set of kernels: plain PyTorch, for any device and dtype, with gradients.

The tests compare the other sets with this one. Norm statistics and rotations are computed in float32 and results come
back in the input's dtype; docs/architecture.md says where a set rounds to 16 bits ("Where 16 bits are rounded").

Letters: b batch, n tokens, d width, h heads, e head width, m = e/2 rotated pairs, f feed-forward width.
"""

import torch
from einops import rearrange
from torch import Tensor
from torch.nn.functional import rms_norm, silu

from .._shapes import Float
from .scale_row import ScaleRow, scaled

Rope = Float[Tensor, "r n 1 m 2 2"]  # rotation matrices; r is 1, or b where batch items have different positions
QKV = tuple[Float[Tensor, "b h n e"], Float[Tensor, "b h n e"], Float[Tensor, "b h n e"]]


def norm(x: Float[Tensor, "b n d"], row: ScaleRow, eps: float) -> Float[Tensor, "b n d"]:
    """RMSNorm: x / rms(x) · row."""
    return scaled(rms_norm(x, x.shape[-1:], eps=eps), row)


def add_normed(
    x: Float[Tensor, "b n d"], y: Float[Tensor, "b n d"], row: ScaleRow, eps: float
) -> Float[Tensor, "b n d"]:
    """x + norm(y), the residual connection of a sandwich norm; the gate is part of the row."""
    return x + norm(y, row, eps)


def qk_norm_rope(
    qkv: Float[Tensor, "b n _"], weights: Float[Tensor, "2 1 e"], rope: Rope, n_heads: int, eps: float
) -> QKV:
    """Split qkv (b, n, 3·h·e) into heads, RMSNorm and rotate queries and keys.

    `weights` are those of the query norm and of the key norm.
    """
    q, k, v = rearrange(qkv, "b n (three h e) -> three b n h e", three=3, h=n_heads)
    q, k = (rotate(rms_norm(x, x.shape[-1:], eps=eps) * w, rope) for x, w in zip((q, k), weights, strict=True))
    return rearrange(q, "b n h e -> b h n e"), rearrange(k, "b n h e -> b h n e"), rearrange(v, "b n h e -> b h n e")


def swiglu(gate: Float[Tensor, "b n f"], up: Float[Tensor, "b n f"]) -> Float[Tensor, "b n f"]:
    """silu(gate) · up."""
    return silu(gate) * up


def swiglu_in_place(gate: Float[Tensor, "b n f"], up: Float[Tensor, "b n f"]) -> Float[Tensor, "b n f"]:
    """`swiglu` that overwrites `gate`; it has no gradient."""
    return silu(gate, inplace=True).mul_(up)


def rotate(x: Float[Tensor, "b n h e"], rope: Rope) -> Float[Tensor, "b n h e"]:
    """Rotate channel pair (2m, 2m+1) of every head by the token's angle m, in float32; returned in x's dtype."""
    even, odd = x.float().unflatten(-1, (-1, 2)).unbind(-1)  # 2 x (b, n, h, m)
    rotated = rope[..., 0] * even[..., None] + rope[..., 1] * odd[..., None]  # (b, n, h, m, 2)
    return rotated.flatten(-2).to(x.dtype)


def rope_as_complex(rope: Rope) -> Tensor:
    """The rotations as complex numbers cos + i·sin, (r, n, 1, m): a view if the matrices are stored column by column,
    as `model.rope.rope_table` stores them, else a copy."""
    column = rope[..., 0]
    return torch.view_as_complex(column if column.stride(-1) == 1 else column.contiguous())
