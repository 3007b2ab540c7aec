"""Pasting a repainted region back into its picture: resized, color matched, and blended by the mask's opacity.

Letters: b pictures, r results, c channels, h w pixels of a picture, H W pixels of a region.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from .._shapes import Float
from .crop import Region, unmasked_pixels
from .resample import resample

SHAPE_TOLERANCE = 0.03  # a result that went through an upscaler may have rounded its sides
# Squared correlation below which surroundings are too flat or too small to estimate a contrast. With nano's autoencoder
# complete surroundings give at least 0.98, with gains within 6 %; slivers of them 0.4 to 0.9, with gains 40 % off.
MIN_R2 = 0.98
GRID = 32  # cells a side at which a result is compared with what was cut out
LEAST_KEPT = 0.05  # of a region, to compare
FOREIGN_DIFFERENCE, FOREIGN_CORRELATION = 0.1, 0.5  # a painted region has 0.02 and 0.98 with nano's autoencoder
GAINS = (0.5, 2.0)  # limits; drift of the model or its autoencoder is far smaller, anything larger is other content


@dataclass(frozen=True, kw_only=True)
class Stitch:
    """Original pictures and the region to paste into them."""

    originals: Float[Tensor, "b c h w"]
    alpha: Float[Tensor, "b H W"]  # opacity of the new picture in the region; 0 keeps the original's pixels
    region: Region


def paste(results: Float[Tensor, "r 3 y x"], stitch: Stitch, color_match: float = 1.0) -> Float[Tensor, "r c h w"]:
    """The originals with the results in their regions; where alpha is 0 they are bit-equal to the originals.

    Result i goes to original i modulo their number, as a latent batch is repeated. `color_match` in [0, 1] is the
    strength of `match_colors`.
    """
    indices = torch.arange(len(results), device=stitch.originals.device) % len(stitch.originals)
    pictures = stitch.originals[indices]  # a copy, (r, c, h, w)
    window = stitch.region.window(pictures)
    alpha = stitch.alpha[indices][:, None]  # (r, 1, H, W)
    height, width = window.shape[-2:]
    resized = resample(results.to(window.device, torch.float32), stitch.region.canvas)[..., :height, :width]
    old = window.float()
    if color_match:
        unmasked = unmasked_pixels(stitch.alpha, stitch.region)[indices]
        resized = torch.lerp(resized, match_colors(resized, old[:, :3], unmasked), color_match)
    if old.shape[1] > 3:  # repainted pixels are opaque
        resized = torch.cat([resized, torch.ones_like(old[:, 3:])], dim=1)
    mixed = torch.lerp(old, resized, alpha).to(window.dtype)
    window.copy_(torch.where(alpha > 0, mixed, window))  # lerp by 0 would spread infinities and NaN of a result
    return pictures


def paste_all(
    results: Sequence[Float[Tensor, "r 3 _ _"]], stitches: Sequence[Stitch], color_match: float = 1.0
) -> Float[Tensor, "r c h w"]:
    """Several regions pasted into the same originals, one after the other; all have equally many results."""
    first, *others = zip(results, stitches, strict=True)
    pictures = paste(*first, color_match)
    for result, stitch in others:
        if len(result) != len(pictures):
            raise ValueError(
                f"One part of the picture was painted {len(pictures)} times and another {len(result)} times: give the "
                "sampler the same number for all of them."
            )
        alpha = stitch.alpha[torch.arange(len(pictures), device=stitch.alpha.device) % len(stitch.alpha)]
        pictures = paste(result, replace(stitch, originals=pictures, alpha=alpha), color_match)
    return pictures


def match_colors(
    results: Float[Tensor, "b 3 h w"], originals: Float[Tensor, "b 3 h w"], weights: Float[Tensor, "b 1 h w"]
) -> Float[Tensor, "b 3 h w"]:
    """Results with the gain and offset per channel that bring them nearest to the originals, in weighted least squares.

    `weights` select pixels that were not repainted: both show the same there, up to the autoencoder's error. Least
    squares rather than equal variances, because the autoencoder loses fine detail, and a picture that is only blurred
    must keep its contrast. Sums are float64; with gain 1 and offset 0 the result is unchanged, bit for bit.
    """
    total = weights.sum(dim=(-2, -1), keepdim=True, dtype=torch.float64)

    def mean(values: Tensor) -> Tensor:
        return (weights * values).sum(dim=(-2, -1), keepdim=True, dtype=torch.float64) / total.clamp(min=1)

    mean_x, mean_y = mean(results), mean(originals)
    x, y = results - mean_x.float(), originals - mean_y.float()
    variance_x, variance_y, covariance = mean(x * x), mean(y * y), mean(x * y)
    is_trusted = (covariance > 0) & (covariance**2 >= MIN_R2 * variance_x * variance_y)
    gain = torch.where(is_trusted, covariance / variance_x, 1.0).clamp(*GAINS)
    offset = mean_y - gain * mean_x
    matched = (results * gain.float() + offset.float()).clamp(0, 1)
    return torch.where(total > 0, matched, results)


def is_foreign(results: Float[Tensor, "r 3 y x"], stitch: Stitch) -> bool:
    """Whether results show something else than the originals where nothing was to be repainted.

    Compared are means over a coarse grid of the pixels that were kept, so that neither the autoencoder nor an upscaler
    counts: other in brightness and without correlation. Where less than a twentieth was kept nothing is known.
    """
    indices = torch.arange(len(results), device=stitch.originals.device) % len(stitch.originals)
    old = stitch.region.window(stitch.originals)[indices, :3].float()
    height, width = old.shape[-2:]
    new = resample(results.to(old.device, torch.float32), stitch.region.canvas)[..., :height, :width]
    kept = unmasked_pixels(stitch.alpha, stitch.region)[indices]
    if kept.mean() < LEAST_KEPT:
        return False
    grid = min(GRID, height), min(GRID, width)
    share = F.adaptive_avg_pool2d(kept, grid)
    known = (share > 0).expand(-1, 3, -1, -1)
    x, y = (F.adaptive_avg_pool2d(each * kept, grid)[known] / share.expand_as(known)[known] for each in (new, old))
    difference = (x - y).abs().mean()
    x, y = x - x.mean(), y - y.mean()
    correlation = (x * y).sum() / (x.norm() * y.norm()).clamp_min(1e-6)
    return bool(difference > FOREIGN_DIFFERENCE and correlation < FOREIGN_CORRELATION)


def check_shape(size: tuple[int, int], stitch: Stitch) -> None:
    """Raise ValueError for a result (height, width) whose aspect ratio is not that of the stitch's region."""
    height, width = size
    expected = stitch.region.size
    if abs(height * expected[1] / (width * expected[0]) - 1) > SHAPE_TOLERANCE:
        raise ValueError(
            f"This picture of {width}x{height} pixels is not the region that was cut out, which was sampled at "
            f"{expected[1]}x{expected[0]}: connect the decoded result of the same Inpaint or Outpaint node."
        )
