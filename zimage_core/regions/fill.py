"""What the autoencoder sees where the picture is to be repainted.

A sampler at full strength begins with noise there, whatever is seen; but the cells around it remember what they saw,
and below full strength it is what sampling starts from.

Letters: b pictures, c channels, h w pixels.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from .._shapes import Float

GREY = 0.5

Fill = Callable[[Float[Tensor, "b c h w"], Float[Tensor, "b 1 h w"]], Float[Tensor, "b c h w"]]


def fill_hole(pictures: Float[Tensor, "b c h w"], alpha: Float[Tensor, "b h w"], fill: str) -> Float[Tensor, "b c h w"]:
    """Pictures in [0, 1] with something else where `alpha` is 1, faded in where it rises."""
    if fill not in FILLS:
        raise ValueError(f"fill must be one of {', '.join(FILLS)}, not {fill!r}")
    hole = alpha[:, None]
    return torch.lerp(pictures, FILLS[fill](pictures, hole), hole.to(pictures.dtype))


def keep(pictures: Float[Tensor, "b c h w"], hole: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b c h w"]:
    """What is there."""
    return pictures


def grey(pictures: Float[Tensor, "b c h w"], hole: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b c h w"]:
    """The middle of the range, which the autoencoder encodes with the least opinion."""
    return torch.full_like(pictures, GREY)


def blend_surroundings(pictures: Float[Tensor, "b c h w"], hole: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b c h w"]:
    """Colours that flow in smoothly from around the hole."""
    known = (hole == 0).float().expand(len(pictures), -1, -1, -1)
    return pull_push(pictures.float(), known).to(pictures.dtype)


def pull_push(pictures: Float[Tensor, "b c h w"], known: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b c h w"]:
    """Unknown pixels from the averages of ever wider neighbourhoods (Gortler et al., The Lumigraph, 1996, section
    3.4); where nothing at all is known, grey."""
    if (known > 0).all():
        return pictures
    if max(pictures.shape[-2:]) == 1:
        return torch.where(known > 0, pictures, GREY)
    share = F.avg_pool2d(known, 2, ceil_mode=True)
    averages = F.avg_pool2d(pictures * known, 2, ceil_mode=True) / share.clamp(min=torch.finfo(share.dtype).tiny)
    coarse = pull_push(averages, (share > 0).float())
    smooth = F.interpolate(coarse, pictures.shape[-2:], mode="bilinear")
    return torch.where(known > 0, pictures, smooth)


FILLS: dict[str, Fill] = {"original": keep, "surroundings": blend_surroundings, "grey": grey}
