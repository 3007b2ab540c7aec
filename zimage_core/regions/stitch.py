"""A repainted region back into its picture: scaled, colour matched, and mixed in only where its mask shows.

Letters: b pictures, r results, c channels, h w pixels of a picture, H W pixels of a region.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from .._shapes import Float
from .crop import Region, kept_pixels
from .resample import resample

SHAPE_TOLERANCE = 0.03  # a result that went through an upscaler may have rounded its sides
# Squared; below it the surroundings are too flat or too small to tell a contrast from. With nano's autoencoder whole
# surroundings give 0.98 and more, with gains within 6 %; slivers of them 0.4 to 0.9, with gains 40 % off.
TRUSTED_CORRELATION = 0.98
GAINS = (0.5, 2.0)  # a drift of the model or its autoencoder stays far inside, anything outside is another content


@dataclass(frozen=True, kw_only=True)
class Stitch:
    """What is needed to put a region back."""

    originals: Float[Tensor, "b c h w"]
    alpha: Float[Tensor, "b H W"]  # opacity of the new picture inside the region, 0 = the original's own pixels
    region: Region


def paste(results: Float[Tensor, "r 3 y x"], stitch: Stitch, colour_match: float = 1.0) -> Float[Tensor, "r c h w"]:
    """The originals with the results in their regions; where alpha is 0 not a bit differs from the originals.

    Several results may share an original: they take turns, as a repeated latent batch does.
    """
    turns = torch.arange(len(results), device=stitch.originals.device) % len(stitch.originals)
    pictures = stitch.originals[turns]  # a copy, (r, c, h, w)
    window = stitch.region.window(pictures)
    alpha = stitch.alpha[turns][:, None]  # (r, 1, H, W)
    height, width = window.shape[-2:]
    fitted = resample(results.to(window.device, torch.float32), stitch.region.canvas)[..., :height, :width]
    old = window.float()
    if colour_match:
        kept = kept_pixels(stitch.alpha, stitch.region)[turns]
        fitted = torch.lerp(fitted, match_colours(fitted, old[:, :3], kept), colour_match)
    if old.shape[1] > 3:  # what is painted is not see-through
        fitted = torch.cat([fitted, torch.ones_like(old[:, 3:])], dim=1)
    mixed = torch.lerp(old, fitted, alpha).to(window.dtype)
    window.copy_(torch.where(alpha > 0, mixed, window))  # not by mixing with 0: a result may hold infinities
    return pictures


def match_colours(
    results: Float[Tensor, "b 3 h w"], originals: Float[Tensor, "b 3 h w"], weights: Float[Tensor, "b 1 h w"]
) -> Float[Tensor, "b 3 h w"]:
    """Results under the gain and offset per channel that bring them nearest to the originals where weights say so:
    in the cells the sampler kept, where both show the same and only the autoencoder and its drift differ.

    Least squares and not equal variances: an autoencoder loses fine detail, and a picture that is only blurred must
    keep its contrast. Sums in float64; a result that needs nothing gets nothing, to the bit.
    """
    total = weights.sum(dim=(-2, -1), keepdim=True, dtype=torch.float64)

    def mean(values: Tensor) -> Tensor:
        return (weights * values).sum(dim=(-2, -1), keepdim=True, dtype=torch.float64) / total.clamp(min=1)

    mean_x, mean_y = mean(results), mean(originals)
    x, y = results - mean_x.float(), originals - mean_y.float()
    variance_x, variance_y, covariance = mean(x * x), mean(y * y), mean(x * y)
    is_trusted = (covariance > 0) & (covariance**2 >= TRUSTED_CORRELATION * variance_x * variance_y)
    gain = torch.where(is_trusted, covariance / variance_x, 1.0).clamp(*GAINS)
    offset = mean_y - gain * mean_x
    matched = (results * gain.float() + offset.float()).clamp(0, 1)
    return torch.where(total > 0, matched, results)


def check_shape(size: tuple[int, int], stitch: Stitch) -> None:
    """Refuse a result that cannot be the stitch's region: its sides have other proportions."""
    height, width = size
    expected = stitch.region.size
    if abs(height * expected[1] / (width * expected[0]) - 1) > SHAPE_TOLERANCE:
        raise ValueError(
            f"This picture of {width}x{height} pixels is not the region that was cut out, which was sampled at "
            f"{expected[1]}x{expected[0]}: connect the decoded result of the same Inpaint or Outpaint node."
        )
