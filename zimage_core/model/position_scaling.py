"""Positions of areas larger than the model was trained at: slower rotations of rows and columns while noise is high.

Beyond the native size a position meets angles never trained together. As in NTK-aware scaling the rotary base grows, so
that the slowest rotation spans the larger area and the fastest stays; and as in DyPE (arXiv 2510.20766) it grows with
the noise level, since composition is decided early, when all of the area has to be seen at once, and detail late, at
the distances that were trained. Both axes get the same scale, that of the longer side. The other published way is
Vision YaRN (`vision_yarn.py`).

Letters: h w patch grid, n image tokens, m rotated pairs, k pairs of the sequence axis, r pairs of rows and columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import pad

from .._shapes import Float
from . import vision_yarn
from .condition import Condition
from .rope import rotations
from .vision_yarn import Scales

STRENGTH = 2.0  # of the exponent at pure noise, DyPE's lambda_s
EXPONENTS = ((1.5, 0.5), (3.0, 1.0), (float("inf"), 2.0))  # up to this scale: the published settings for Z-Image


Method = Literal["ntk", "vision yarn"]


@dataclass(frozen=True, kw_only=True)
class PositionScaling:
    """How positions are scaled beyond a native side of `base` patches; `exponent` None chooses by size."""

    base: int  # patches of 16 pixels
    exponent: float | None = None
    method: Method = "ntk"

    def __post_init__(self) -> None:
        if self.base < 1:
            raise ValueError(f"the native side must have at least one patch, not {self.base}")

    def scale(self, size: tuple[int, int]) -> float:
        """How much longer the longer side of a patch grid is than the native one; at least 1."""
        return max(1.0, max(size) / self.base)

    def factor(self, size: tuple[int, int], sigma: float) -> float:
        """By how much the rotary base's span grows at a noise level: scale^(2 sigma^exponent)."""
        return self.scale(size) ** self.strength(size, sigma)

    def strength(self, size: tuple[int, int], sigma: float) -> float:
        """How much scaling acts at a noise level: 2 sigma^exponent."""
        return STRENGTH * sigma ** self.exponent_of(size)

    def exponent_of(self, size: tuple[int, int]) -> float:
        """The exponent of the noise level at a size."""
        scale = self.scale(size)
        return self.exponent or next(value for limit, value in EXPONENTS if scale <= limit)


def scaled_base(theta: float, dim: int, factor: float) -> float:
    """The rotary base with which the slowest of `dim` / 2 pairs turns `factor` times slower, the fastest as before."""
    return theta * factor ** (dim / (dim - 2))


def with_scaled_positions(
    condition: Condition, scaling: PositionScaling, axes_dims: tuple[int, int, int], theta: float, sigma: float
) -> Condition:
    """A condition without references whose rows and columns turn slower at this noise level; else itself."""
    size = condition.size
    if condition.n_clean or scaling.scale(size) == 1:
        return condition
    if scaling.method == "ntk":
        factor = scaling.factor(size, sigma)
        return (
            condition if factor == 1 else with_angles(condition, grid_angles(size, ntk(axes_dims[1:], theta, factor)))
        )
    bands, longest = scaling.strength(size, sigma), scaling.scale(size)
    frequencies_of_axes = [
        vision_yarn.frequencies(dim, theta, scaling.base, Scales(max(1.0, length / scaling.base), longest, bands))
        for length, dim in zip(size, axes_dims[1:], strict=True)
    ]
    sharper = vision_yarn.sharpening(longest, sigma, scaling.exponent_of(size))
    return with_angles(condition, grid_angles(size, frequencies_of_axes), sharper)


def ntk(dims: Sequence[int], theta: float, factor: float) -> list[Float[Tensor, " m"]]:
    """Angles per patch of rows and columns with a larger rotary base, in float64."""
    return [scaled_base(theta, dim, factor) ** -(torch.arange(0, dim, 2, dtype=torch.float64) / dim) for dim in dims]


def with_angles(condition: Condition, angles: Float[Tensor, "n r"], length: float = 1.0) -> Condition:
    """A condition with other angles of the image's rows and columns, whose rotations also multiply by `length`."""
    image = condition.image_rope
    angles = pad(angles.to(image.device), (0, 0, 0, image.shape[1] - len(angles)))  # pads are not turned
    turned = length * rotations(angles).expand(len(image), -1, -1, -1, -1, -1)
    kept = image.shape[3] - angles.shape[1]
    # joined column by column, as the table is stored
    scaled = torch.cat((image[..., :kept, :, :].mT, turned.mT), dim=-3).mT
    before = condition.joint_rope.shape[1] - image.shape[1]
    joint = torch.cat((condition.joint_rope[:, :before].mT, scaled.mT), dim=1).mT
    return condition._replace(image_rope=scaled, joint_rope=joint)


def grid_angles(size: tuple[int, int], frequencies: Sequence[Float[Tensor, " m"]]) -> Float[Tensor, "n r"]:
    """Angles of rows and columns of a patch grid, row-major, in float32 from float64 as those of the table."""
    axes = [
        torch.arange(length, dtype=torch.float64)[:, None] * per_patch
        for length, per_patch in zip(size, frequencies, strict=True)
    ]
    rows = axes[0].float()[:, None].expand(-1, size[1], -1)
    columns = axes[1].float()[None].expand(size[0], -1, -1)
    return torch.cat((rows, columns), dim=-1).flatten(0, 1)
