"""Pixels under the mask before the autoencoder encodes the region.

At strength 1 sampling starts from noise there, but the latent cells around the mask depend on these pixels too; below
strength 1 sampling starts from them.

Letters: b pictures, c channels, h w pixels.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from .._shapes import Float

GRAY = 0.5

Fill = Callable[[Float[Tensor, "b c h w"], Float[Tensor, "b 1 h w"]], Float[Tensor, "b c h w"]]


def fill_hole(pictures: Float[Tensor, "b c h w"], alpha: Float[Tensor, "b h w"], fill: str) -> Float[Tensor, "b c h w"]:
    """Pictures in [0, 1] with the fill of that name, blended in by `alpha`."""
    if fill not in FILLS:
        raise ValueError(f"fill must be one of {', '.join(FILLS)}, not {fill!r}")
    hole = alpha[:, None]  # (b, 1, h, w)
    return torch.lerp(pictures, FILLS[fill](pictures, hole), hole.to(pictures.dtype))


def keep_original(pictures: Float[Tensor, "b c h w"], hole: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b c h w"]:
    """No fill."""
    return pictures


def fill_gray(pictures: Float[Tensor, "b c h w"], hole: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b c h w"]:
    """Mid-gray, the most neutral input for the autoencoder."""
    return torch.full_like(pictures, GRAY)


def blend_surroundings(pictures: Float[Tensor, "b c h w"], hole: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b c h w"]:
    """Smooth interpolation of the colors around the hole."""
    known = (hole == 0).float().expand(len(pictures), -1, -1, -1)
    return pull_push(pictures.float(), known).to(pictures.dtype)


def pull_push(pictures: Float[Tensor, "b c h w"], known: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b c h w"]:
    """Fills unknown pixels with averages of known ones at ever coarser scales; without any known pixel with gray.

    Pull-push of Gortler et al., The Lumigraph, 1996, section 3.4.
    """
    if (known > 0).all():
        return pictures
    if max(pictures.shape[-2:]) == 1:
        return torch.where(known > 0, pictures, GRAY)
    share = F.avg_pool2d(known, 2, ceil_mode=True)
    averages = F.avg_pool2d(pictures * known, 2, ceil_mode=True) / share.clamp(min=torch.finfo(share.dtype).tiny)
    coarse = pull_push(averages, (share > 0).float())
    smooth = F.interpolate(coarse, pictures.shape[-2:], mode="bilinear")
    return torch.where(known > 0, pictures, smooth)


FILLS: dict[str, Fill] = {"original": keep_original, "surroundings": blend_surroundings, "grey": fill_gray}
