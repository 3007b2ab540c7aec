"""The autoencoder on strips of rows, for pictures whose feature maps do not fit the device: no tiles and no seams.

Feature maps wait in RAM and are processed on the input's device strip by strip, each with the few rows
above and below that a convolution reads. Group norms use the statistics of the whole map, so the result equals that of
a whole pass up to rounding. Attention works at the coarsest resolution, where maps are small, on the whole map.

Letters: b batch, c k channels, h w H W cells of an input or output feature map, g groups.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from .._shapes import Float
from .activation_bytes import decode_budget_bytes
from .autoencoder import AttentionBlock, Autoencoder, Decoder, Downsample, Encoder, ResnetBlock, Upsample

HALO = 2  # rows; a 3x3 convolution reads one, and two keep strips even where sides are halved
COPIES = 8  # of a strip: its input, the norm in float32 and cast back, the convolution, and the library's own

ProcessStrip = Callable[[Tensor, slice], Tensor]  # a strip with its halo, and its range of rows in the whole map
Progress = Callable[[int, int], None]  # steps done, steps in all


def no_progress(done: int, total: int) -> None:
    """Reports nothing."""


class Strips(NamedTuple):
    """How a feature map is cut into strips, and the device that processes them."""

    device: torch.device
    values: int  # of one strip, at most

    def row_ranges(self, x: Float[Tensor, "b c h w"]) -> Iterator[slice]:
        """The rows of each strip, an even number in all but the last."""
        height = x.shape[-2]
        rows = max(2, self.values // (x.numel() // height) // 2 * 2)
        return (slice(top, min(height, top + rows)) for top in range(0, height, rows))


@torch.inference_mode()
def in_strips(
    network: Encoder | Decoder, x: Float[Tensor, "b c h w"], budget: int, progress: Progress = no_progress
) -> Float[Tensor, "b k H W"]:
    """`network(x)` in RAM, computed on x's device with about `budget` bytes of strips there.

    The weights' device is not asked: under ComfyUI's dynamic VRAM they stay in RAM and layers copy them when called.
    """
    strips = Strips(x.device, budget // (COPIES * x.dtype.itemsize))
    x = map_strips(lambda part, _: network.conv_in(part), x.cpu(), strips)
    steps = list(network.steps())
    for index, step in enumerate(steps):
        x = run_step(step, x, strips)
        progress(index + 1, len(steps))
    return norm_silu_conv(network.norm_out, network.conv_out, x, strips)


@torch.inference_mode()
def decode_within(
    vae: Autoencoder, latent: Float[Tensor, "b z h w"], budget: int, progress: Progress = no_progress
) -> Float[Tensor, "b 3 H W"]:
    """Decode a model-space latent whole if `budget` bytes on its device allow that, else in strips."""
    height, width = latent.shape[-2:]
    if latent.shape[0] * decode_budget_bytes(vae.config, (height, width), latent.dtype) <= budget:
        return vae.decode(latent)
    return in_strips(vae.decoder, vae.to_raw(latent), budget, progress).to(latent.device)


def run_step(step: nn.Module, x: Float[Tensor, "b c h w"], strips: Strips) -> Float[Tensor, "b k H W"]:
    """One step of the network."""
    match step:
        case ResnetBlock():
            return resnet_block(step, x, strips)
        case AttentionBlock():
            return step(x.to(strips.device)).to(x.device)
        case Upsample() | Downsample():
            return map_strips(lambda part, _: step(part), x, strips)
        case _:
            raise TypeError(f"{type(step).__name__} has no way to run in rows")


def resnet_block(block: ResnetBlock, x: Float[Tensor, "b c h w"], strips: Strips) -> Float[Tensor, "b k h w"]:
    """`ResnetBlock.forward`."""
    inner = norm_silu_conv(block.norm1, block.conv1, x, strips)  # (b, k, h, w)
    norm_silu = norm_silu_of(block.norm2, inner, strips)

    def outer(part: Tensor, rows: slice) -> Tensor:
        return block.conv2(norm_silu(part)).add_(block.nin_shortcut(x[..., rows, :].to(part.device)))

    return map_strips(outer, inner, strips)


def norm_silu_conv(
    norm: nn.Module, conv: nn.Module, x: Float[Tensor, "b c h w"], strips: Strips
) -> Float[Tensor, "b k h w"]:
    """conv(silu(norm(x)))."""
    norm_silu = norm_silu_of(norm, x, strips)
    return map_strips(lambda part, _: conv(norm_silu(part)), x, strips)


def map_strips(process: ProcessStrip, x: Float[Tensor, "b c h w"], strips: Strips) -> Float[Tensor, "b k H W"]:
    """The results of `process` on all strips of x, put together; those of halo rows are thrown away."""
    height, width = x.shape[-2:]
    out = x
    for strip in strips.row_ranges(x):
        rows = slice(max(0, strip.start - HALO), min(height, strip.stop + HALO))
        part = process(x[..., rows, :].to(strips.device), rows)
        new_width = part.shape[-1]  # sides are doubled, halved or unchanged
        first, last, above = (row * new_width // width for row in (strip.start, strip.stop, rows.start))
        if strip.start == 0:
            out = x.new_empty(*part.shape[:2], height * new_width // width, new_width)
        out[..., first:last, :] = part[..., first - above : last - above, :]
    return out


def norm_silu_of(norm: nn.Module, x: Float[Tensor, "b c h w"], strips: Strips) -> Callable[[Tensor], Tensor]:
    """silu(norm(·)) for strips of x, with the group statistics of the whole x."""
    assert isinstance(norm, nn.GroupNorm)
    mean, variance = (each.float().to(strips.device) for each in group_statistics(x, norm.num_groups, strips))  # (b, g)
    weight, bias = affine_parameters(norm, x[:0].to(strips.device))
    per_group = x.shape[1] // norm.num_groups
    scale = weight * (variance + norm.eps).rsqrt().repeat_interleave(per_group, 1)  # (b, c)
    shift = bias - mean.repeat_interleave(per_group, 1) * scale

    def norm_silu(part: Tensor) -> Tensor:
        normed = torch.addcmul(shift[..., None, None], part, scale[..., None, None])
        return silu(normed, inplace=True).to(part.dtype)

    return norm_silu


def group_statistics(x: Float[Tensor, "b c h w"], groups: int, strips: Strips) -> tuple[Tensor, Tensor]:
    """Mean and variance of every group of the whole map, each (b, g) in float64, combined from its strips."""
    sizes: list[int] = []
    parts: list[tuple[Tensor, Tensor]] = []
    for strip in strips.row_ranges(x):
        part = x[..., strip, :].to(strips.device).float().unflatten(1, (groups, -1)).flatten(2)
        variance, mean = torch.var_mean(part, dim=2, correction=0)
        sizes.append(part.shape[2])
        parts.append((mean.cpu().double(), variance.cpu().double()))
    share = torch.tensor(sizes, dtype=torch.float64)[:, None, None] / sum(sizes)
    means, variances = (torch.stack(each) for each in zip(*parts, strict=True))
    mean = (share * means).sum(0)
    return mean, (share * (variances + (means - mean) ** 2)).sum(0)


def affine_parameters(norm: nn.GroupNorm, like: Tensor) -> tuple[Float[Tensor, " c"], Float[Tensor, " c"]]:
    """A group norm's weight and bias in float32, from its outputs for +1 and -1.

    Calling the layer instead of reading its attributes lets it cast, patch and move its own weights.
    """
    signs = like.new_tensor([1.0, -1.0]).expand(1, norm.num_channels, 1, 2)
    plus, minus = norm(signs.contiguous())[0, :, 0].float().unbind(-1)
    return (plus - minus) / 2 * (1 + norm.eps) ** 0.5, (plus + minus) / 2
