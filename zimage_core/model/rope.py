"""Rotary positions over three axes: sequence, row, column.

Letters: b batch, n tokens, h heads, e head width, m = e/2 rotated pairs.

The table holds 2x2 rotation matrices on its last two axes (the layout FLUX introduced), so that fused kernels and
ComfyUI's patches can read it. Channel pair (2m, 2m+1) of every head turns by angle m.
"""

import torch
from torch import Tensor

from .._shapes import Float

Rope = Float[Tensor, "r n 1 m 2 2"]  # r is 1, or the batch where items sit at different positions


def rope_table(
    positions: Float[Tensor, "n 3"], axes_dims: tuple[int, ...], theta: float
) -> Float[Tensor, "1 n 1 m 2 2"]:
    """Rotation matrices in float32 for token positions; frequencies are formed in float64, as the reference does."""
    angles = [
        position[:, None] * theta ** -(torch.arange(0, dim, 2, dtype=torch.float64, device=positions.device) / dim)
        for position, dim in zip(positions.double().unbind(-1), axes_dims, strict=True)
    ]
    angle = torch.cat(angles, dim=-1).float()  # (n, m)
    cos, sin = angle.cos(), angle.sin()
    rotation = torch.stack((cos, -sin, sin, cos), dim=-1).unflatten(-1, (2, 2))  # (n, m, 2, 2)
    return rotation[None, :, None]  # (1, n, 1, m, 2, 2)


def rotate(x: Float[Tensor, "b n h e"], rope: Rope) -> Float[Tensor, "b n h e"]:
    """Turn every channel pair of every head by its token's angle: in float32, returned in x's dtype."""
    even, odd = x.float().unflatten(-1, (-1, 2)).unbind(-1)  # 2 x (b, n, h, m)
    turned = rope[..., 0] * even[..., None] + rope[..., 1] * odd[..., None]  # (b, n, h, m, 2)
    return turned.flatten(-2).to(x.dtype)
