"""The autoencoder a strip of rows at a time, for pictures whose maps do not fit the device: no tiles, no seams.

Maps wait where the input is, in main memory, and cross the device strip by strip, with the few rows beside them that a
convolution looks at. Group norms get the statistics of the whole map, so the picture is that of a whole pass up to
rounding. Attention works at the coarsest level, where maps are small, and takes its map whole.

Letters: b batch, c channels, h w cells of a map, g groups.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from .._shapes import Float
from .activation_bytes import decode_budget_bytes
from .autoencoder import AttentionBlock, Autoencoder, Decoder, Downsample, Encoder, ResnetBlock, Upsample
from .tiling import Progress, silent

HALO = 2  # rows; a convolution looks one aside, and two keep strips even where sides are halved
COPIES = 8  # of a strip: as it came, normed in float32 and back, convolved, and the library's own

Run = Callable[[Tensor, slice], Tensor]


class Strips(NamedTuple):
    """Where strips are worked on, and how many values one may have."""

    device: torch.device
    values: int

    def of(self, x: Float[Tensor, "b c h w"]) -> Iterator[slice]:
        """An even number of rows each, but for the last."""
        height = x.shape[-2]
        rows = max(2, self.values // (x.numel() // height) // 2 * 2)
        return (slice(top, min(height, top + rows)) for top in range(0, height, rows))


@torch.inference_mode()
def in_rows(
    network: Encoder | Decoder, x: Float[Tensor, "b c h w"], budget: int, progress: Progress = silent
) -> Float[Tensor, "b k H W"]:
    """What `network(x)` gives, on x's device, with about `budget` bytes of strips on the network's."""
    strips = Strips(next(network.parameters()).device, budget // (COPIES * x.dtype.itemsize))
    x = apply(lambda part, _: network.conv_in(part), x, strips)
    steps = list(network.steps())
    for index, step in enumerate(steps):
        x = take(step, x, strips)
        progress(index + 1, len(steps))
    return convolved(network.norm_out, network.conv_out, x, strips)


@torch.inference_mode()
def decode_within(
    vae: Autoencoder, latent: Float[Tensor, "b z h w"], budget: int, progress: Progress = silent
) -> Float[Tensor, "b 3 H W"]:
    """Decode a model-space latent whole where `budget` bytes on its device allow it, else a strip at a time."""
    height, width = latent.shape[-2:]
    if latent.shape[0] * decode_budget_bytes(vae.config, (height, width), latent.dtype) <= budget:
        return vae.decode(latent)
    return in_rows(vae.decoder, vae.raw(latent).cpu(), budget, progress).to(latent.device)


def take(step: nn.Module, x: Float[Tensor, "b c h w"], strips: Strips) -> Float[Tensor, "b k H W"]:
    """One step of the network."""
    match step:
        case ResnetBlock():
            return residual(step, x, strips)
        case AttentionBlock():
            return step(x.to(strips.device)).to(x.device)
        case Upsample() | Downsample():
            return apply(lambda part, _: step(part), x, strips)
        case _:
            raise TypeError(f"{type(step).__name__} has no way to run in rows")


def residual(block: ResnetBlock, x: Float[Tensor, "b c h w"], strips: Strips) -> Float[Tensor, "b k h w"]:
    """Two normed convolutions around a shortcut."""
    inner = convolved(block.norm1, block.conv1, x, strips)
    norm = frozen(block.norm2, inner, strips)

    def outer(part: Tensor, rows: slice) -> Tensor:
        return block.conv2(norm(part)).add_(block.nin_shortcut(x[..., rows, :].to(part.device)))

    return apply(outer, inner, strips)


def convolved(
    norm: nn.Module, conv: nn.Module, x: Float[Tensor, "b c h w"], strips: Strips
) -> Float[Tensor, "b k h w"]:
    """conv(silu(norm(x)))."""
    activate = frozen(norm, x, strips)
    return apply(lambda part, _: conv(activate(part)), x, strips)


def apply(run: Run, x: Float[Tensor, "b c h w"], strips: Strips) -> Float[Tensor, "b k H W"]:
    """`run` on strip after strip with the rows beside it, whose results are thrown away; it is told which rows."""
    height, width = x.shape[-2:]
    out = x
    for strip in strips.of(x):
        rows = slice(max(0, strip.start - HALO), min(height, strip.stop + HALO))
        part = run(x[..., rows, :].to(strips.device), rows)
        new_width = part.shape[-1]  # sides double, halve or stay
        first, last, above = (row * new_width // width for row in (strip.start, strip.stop, rows.start))
        if strip.start == 0:
            out = x.new_empty(*part.shape[:2], height * new_width // width, new_width)
        out[..., first:last, :] = part[..., first - above : last - above, :]
    return out


def frozen(norm: nn.Module, x: Float[Tensor, "b c h w"], strips: Strips) -> Callable[[Tensor], Tensor]:
    """silu(norm(·)) for parts of x, with the statistics of the whole of it."""
    assert isinstance(norm, nn.GroupNorm)
    mean, variance = (each.float().to(strips.device) for each in statistics(x, norm.num_groups, strips))  # (b, g)
    weight, bias = parameters(norm, x[:0].to(strips.device))
    per_group = x.shape[1] // norm.num_groups
    scale = weight * (variance + norm.eps).rsqrt().repeat_interleave(per_group, 1)  # (b, c)
    shift = bias - mean.repeat_interleave(per_group, 1) * scale

    def activate(part: Tensor) -> Tensor:
        normed = torch.addcmul(shift[..., None, None], part, scale[..., None, None])
        return silu(normed, inplace=True).to(part.dtype)

    return activate


def statistics(x: Float[Tensor, "b c h w"], groups: int, strips: Strips) -> tuple[Tensor, Tensor]:
    """Mean and variance of every group (b, g) over the whole map, put together from those of its strips."""
    sizes: list[int] = []
    parts: list[tuple[Tensor, Tensor]] = []
    for strip in strips.of(x):
        part = x[..., strip, :].to(strips.device).float().unflatten(1, (groups, -1)).flatten(2)
        variance, mean = torch.var_mean(part, dim=2, correction=0)
        sizes.append(part.shape[2])
        parts.append((mean.cpu().double(), variance.cpu().double()))
    share = torch.tensor(sizes, dtype=torch.float64)[:, None, None] / sum(sizes)
    means, variances = (torch.stack(each) for each in zip(*parts, strict=True))
    mean = (share * means).sum(0)
    return mean, (share * (variances + (means - mean) ** 2)).sum(0)


def parameters(norm: nn.GroupNorm, like: Tensor) -> tuple[Float[Tensor, " c"], Float[Tensor, " c"]]:
    """A group norm's weight and bias by what it does to +1 and -1: the layer casts, patches and moves them itself."""
    signs = like.new_tensor([1.0, -1.0]).expand(1, norm.num_channels, 1, 2)
    plus, minus = norm(signs.contiguous())[0, :, 0].float().unbind(-1)
    return (plus - minus) / 2 * (1 + norm.eps) ** 0.5, (plus + minus) / 2
