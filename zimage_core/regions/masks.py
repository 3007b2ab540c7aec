"""Masks in pixels: which are to be repainted, and how softly the new picture goes over into the old.

Letters: b masks, h w pixels, H W pixels of the picture they are fitted to.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from .._shapes import Bool, Float

THRESHOLD = 0.5  # the reference's inpaint pipeline takes a pixel as masked from here up


def is_masked(masks: Float[Tensor, "b h w"]) -> Bool[Tensor, "b h w"]:
    """Which pixels a mask of grey values means.

    Grey is taken for yes or no, because brushes of some mask editors paint 0.7 where they mean 1, and a picture
    repainted to seven tenths is a double exposure. `feather` makes soft edges.
    """
    return masks >= THRESHOLD


def fit_masks(masks: Bool[Tensor, "b h w"], size: tuple[int, int]) -> Bool[Tensor, "b H W"]:
    """Masks of another size stretched to (height, width); a pixel is masked where any part of it was, so that a mask
    of a single pixel survives."""
    if masks.shape[-2:] == size:
        return masks
    return F.adaptive_max_pool2d(masks.float(), size) > 0


def feather(masks: Bool[Tensor, "b h w"], grow: int, width: int) -> Float[Tensor, "b h w"]:
    """Opacity of the new picture in [0, 1]: 1 in the mask grown by `grow` pixels (shrunk if negative), then a smooth
    ramp `width` pixels wide, 0 beyond.

    The ramp lies outside: what is masked is repainted wholly. The border of the picture does not shrink a mask.
    """
    alpha = torch.zeros(masks.shape, device=masks.device)
    reach = max(grow, 0) + width + 1
    rows, columns = (around(masks.any(dim=0).any(dim=axis), reach) for axis in (1, 0))
    alpha[:, rows, columns] = opacity(masks[:, rows, columns], grow, width)  # most masks are small, most pictures not
    return alpha


def opacity(masks: Bool[Tensor, "b h w"], grow: int, width: int) -> Float[Tensor, "b h w"]:
    """`feather`, everywhere."""
    if grow < 0:
        masks, grow = masks & (distance(~masks, -grow) > -grow), 0
    beyond = (distance(masks, grow + width) - grow).clamp(min=0)
    ramp = (1 - beyond / (width + 1)).clamp(min=0)
    return ramp * ramp * (3 - 2 * ramp)


def distance(masks: Bool[Tensor, "b h w"], limit: int) -> Float[Tensor, "b h w"]:
    """Euclidean distance in pixels to the nearest masked one: exact up to `limit`, anything larger beyond.

    Squared distances are separable (Felzenszwalb and Huttenlocher, Distance Transforms of Sampled Functions, 2012):
    first along columns, then the lower envelope over the neighbours of a row that can still matter.
    """
    far = float(limit + 1)
    along_column = torch.minimum(steps_since(masks, far), steps_since(masks.flip(-2), far).flip(-2)).square()
    nearest, shifted = along_column.clone(), torch.empty_like(along_column)
    for step in range(1, min(limit, masks.shape[-1] - 1) + 1):
        torch.add(along_column, step * step, out=shifted)
        torch.minimum(nearest[..., step:], shifted[..., :-step], out=nearest[..., step:])
        torch.minimum(nearest[..., :-step], shifted[..., step:], out=nearest[..., :-step])
    return nearest.sqrt()


def steps_since(masks: Bool[Tensor, "b h w"], far: float) -> Float[Tensor, "b h w"]:
    """How many rows above each pixel the nearest masked one of its column is, at most `far`."""
    rows = torch.arange(masks.shape[-2], dtype=torch.float32, device=masks.device)[:, None]
    last = torch.where(masks, rows, -far).cummax(dim=-2).values
    return (rows - last).clamp(max=far)


def around(is_hit: Bool[Tensor, " n"], reach: int) -> slice:
    """From the first hit to the last, and `reach` further on both sides; empty if there is none."""
    first, last = bounds(is_hit)
    return slice(max(first - reach, 0), last + reach) if is_hit.any() else slice(0, 0)


def bounds(is_hit: Bool[Tensor, " n"]) -> tuple[int, int]:
    """From the first hit to just behind the last; everything if there is none."""
    hits = is_hit.nonzero()
    return (int(hits[0]), int(hits[-1]) + 1) if len(hits) else (0, len(is_hit))
