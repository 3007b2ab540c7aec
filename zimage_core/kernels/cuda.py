"""Kernels for CUDA GPUs without Triton: PyTorch operations, each of which is a single CUDA kernel.

Letters: b batch, n tokens, d width, h heads, e head width, f feed-forward width.
"""

import torch
from einops import rearrange
from torch import Tensor
from torch.nn.functional import rms_norm

from .._shapes import Float
from .plain import QKV, Rope, rope_as_complex
from .scale_row import ScaleRow, SplitRow, as_weight, scale_


def norm(x: Float[Tensor, "b n d"], row: ScaleRow, eps: float) -> Float[Tensor, "b n d"]:
    """RMSNorm: x / rms(x) · row; one CUDA kernel where the row can be passed as the norm's weight."""
    weight = as_weight(row, x)
    normed = rms_norm(x, x.shape[-1:], weight, eps)
    return normed if weight is not None else scale_(normed, row)


def add_normed(
    x: Float[Tensor, "b n d"], y: Float[Tensor, "b n d"], row: ScaleRow, eps: float
) -> Float[Tensor, "b n d"]:
    """x + norm(y) in two CUDA kernels; multiply-add is one operation that rounds once."""
    normed = rms_norm(y, y.shape[-1:], eps=eps)
    return x + scale_(normed, row) if isinstance(row, SplitRow) else torch.addcmul(x, normed, row)


def qk_norm_rope(
    qkv: Float[Tensor, "b n _"], weights: Float[Tensor, "2 1 e"], rope: Rope, n_heads: int, eps: float
) -> QKV:
    """Normed and rotated queries and keys, and values; weights and rotation in float32."""
    heads = rearrange(qkv, "b n (three h e) -> b n three h e", three=3, h=n_heads)
    qk = rms_norm(heads[:, :, :2], heads.shape[-1:], eps=eps).float().mul_(weights)  # (b, n, 2, h, e)
    torch.view_as_complex(qk.unflatten(-1, (-1, 2))).mul_(rope_as_complex(rope)[:, :, None])
    q, k = rearrange(qk.to(qkv.dtype), "b n two h e -> two b h n e")
    return q, k, rearrange(heads[:, :, 2], "b n h e -> b h n e")
