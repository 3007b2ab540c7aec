"""Rotary position embedding over three axes: sequence, row, column.

Letters: n tokens, m rotated pairs of a head's channels.

The table holds 2x2 rotation matrices on its last two axes (the layout FLUX introduced), so that fused kernels and
ComfyUI's patches can read it. Channel pair (2m, 2m+1) of every head is rotated by angle m.
"""

import torch
from torch import Tensor

from .._shapes import Float


def rope_table(
    positions: Float[Tensor, "n 3"], axes_dims: tuple[int, ...], theta: float
) -> Float[Tensor, "1 n 1 m 2 2"]:
    """Rotation matrices in float32 for token positions; angles are computed in float64, as in the reference code.

    Matrices are stored column by column: the first, (cos, sin), can be viewed as a complex number without a copy.
    """
    angles = [
        position[:, None] * theta ** -(torch.arange(0, dim, 2, dtype=torch.float64, device=positions.device) / dim)
        for position, dim in zip(positions.double().unbind(-1), axes_dims, strict=True)
    ]
    return rotations(torch.cat(angles, dim=-1).float())


def rotations(angle: Float[Tensor, "n m"]) -> Float[Tensor, "1 n 1 m 2 2"]:
    """The rotation matrices of angles, stored column by column."""
    cos, sin = angle.cos(), angle.sin()
    columns = torch.stack((cos, sin, -sin, cos), dim=-1).unflatten(-1, (2, 2))  # (n, m, 2, 2)
    return columns.mT[None, :, None]  # (1, n, 1, m, 2, 2)
