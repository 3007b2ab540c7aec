"""Masks in pixels: binarizing, resizing, growing and feathering them.

Letters: b masks, h w pixels, H W pixels of the picture they are fitted to.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from .._shapes import Bool, Float

THRESHOLD = 0.5  # as in the reference's inpaint pipeline


def is_masked(masks: Float[Tensor, "b h w"]) -> Bool[Tensor, "b h w"]:
    """Binary masks.

    Brushes of some mask editors paint 0.7 where they mean 1, and an opacity of 0.7 would show a double exposure. Soft
    edges are made by `feather`.
    """
    return masks >= THRESHOLD


def fit_masks(masks: Bool[Tensor, "b h w"], size: tuple[int, int]) -> Bool[Tensor, "b H W"]:
    """Masks resized to (height, width) by max pooling, so that a mask of a single pixel survives."""
    if masks.shape[-2:] == size:
        return masks
    return F.adaptive_max_pool2d(masks.float(), size) > 0


def feather(masks: Bool[Tensor, "b h w"], grow: int, width: int) -> Float[Tensor, "b h w"]:
    """Opacity of the new picture in [0, 1]: 1 in the mask grown by `grow` pixels (shrunk if negative), then a smooth
    ramp `width` pixels wide, 0 beyond.

    The ramp is outside the mask, so masked pixels are replaced fully. Shrinking does not start at the picture's border.
    """
    alpha = torch.zeros(masks.shape, device=masks.device)
    margin = max(grow, 0) + width + 1
    rows, columns = (slice_around(masks.any(dim=0).any(dim=axis), margin) for axis in (1, 0))
    alpha[:, rows, columns] = feather_everywhere(
        masks[:, rows, columns], grow, width
    )  # computed near the mask only, for speed
    return alpha


def feather_everywhere(masks: Bool[Tensor, "b h w"], grow: int, width: int) -> Float[Tensor, "b h w"]:
    """The opacity of `feather`, computed for the whole picture."""
    if grow < 0:
        masks, grow = masks & (distance(~masks, -grow) > -grow), 0
    beyond = (distance(masks, grow + width) - grow).clamp(min=0)
    ramp = (1 - beyond / (width + 1)).clamp(min=0)
    return ramp * ramp * (3 - 2 * ramp)


def distance(masks: Bool[Tensor, "b h w"], limit: int) -> Float[Tensor, "b h w"]:
    """Euclidean distance in pixels to the nearest masked pixel: exact up to `limit`, beyond it any larger value.

    Squared distances are separable (Felzenszwalb and Huttenlocher, Distance Transforms of Sampled Functions, 2012):
    first along columns, then the minimum over the columns within `limit`.
    """
    far = float(limit + 1)
    along_column = torch.minimum(distance_up(masks, far), distance_up(masks.flip(-2), far).flip(-2)).square()
    nearest, shifted = along_column.clone(), torch.empty_like(along_column)
    for step in range(1, min(limit, masks.shape[-1] - 1) + 1):
        torch.add(along_column, step * step, out=shifted)
        torch.minimum(nearest[..., step:], shifted[..., :-step], out=nearest[..., step:])
        torch.minimum(nearest[..., :-step], shifted[..., step:], out=nearest[..., :-step])
    return nearest.sqrt()


def distance_up(masks: Bool[Tensor, "b h w"], far: float) -> Float[Tensor, "b h w"]:
    """Rows from each pixel up to the nearest masked pixel of its column, at most `far`."""
    rows = torch.arange(masks.shape[-2], dtype=torch.float32, device=masks.device)[:, None]
    last = torch.where(masks, rows, -far).cummax(dim=-2).values
    return (rows - last).clamp(max=far)


def slice_around(is_hit: Bool[Tensor, " n"], margin: int) -> slice:
    """From the first true element to the last, with `margin` on both sides; empty if there is none."""
    start, stop = bounds(is_hit)
    return slice(max(start - margin, 0), stop + margin) if is_hit.any() else slice(0, 0)


def bounds(is_hit: Bool[Tensor, " n"]) -> tuple[int, int]:
    """Start and stop of the smallest interval with all true elements; the whole length if there is none."""
    hits = is_hit.nonzero()
    return (int(hits[0]), int(hits[-1]) + 1) if len(hits) else (0, len(is_hit))
