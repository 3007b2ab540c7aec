"""The FLUX autoencoder: pictures to 16-channel latents with sides an eighth as long, and latents to pictures.

Letters: b batch, c k channels, H W pixels, h w latent cells, z latent channels.

Attribute names are the keys of `ae.safetensors`. Latents outside this file are in model space, scaled and shifted;
`posterior` and `decoder` use the raw latent space of the weights, which is that of ComfyUI's VAE socket.

Full-resolution feature maps decide how much memory a picture takes, so none outlives its use: networks run as a list of
steps, each the only owner of its input, and without gradients additions and activations work in place.
`activation_bytes.py` counts the peak.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad, silu
from typing_extensions import Unpack

from .._shapes import Float
from ..attention import attention_in_slices
from ..config import VAEConfig, norm_groups
from ..ops import TORCH, Factory, Layers, Ops


class Posterior(NamedTuple):
    """The normal distribution of a picture's raw latent."""

    mean: Float[Tensor, "b z h w"]
    logvar: Float[Tensor, "b z h w"]


class Autoencoder(nn.Module):
    """Encodes pictures in [-1, 1] and decodes latents to pictures."""

    def __init__(self, config: VAEConfig, *, ops: Ops = TORCH, **factory: Unpack[Factory]) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config, ops=ops, **factory)
        self.decoder = Decoder(config, ops=ops, **factory)

    def posterior(self, picture: Float[Tensor, "b 3 H W"]) -> Posterior:
        """Mean and log-variance of the raw latent; sides must be multiples of the downscale, 8 for FLUX."""
        height, width = picture.shape[-2:]
        if height % self.config.downscale or width % self.config.downscale or not height or not width:
            raise ValueError(
                f"a picture of {width}x{height} pixels cannot be encoded: "
                f"crop or resize its sides to multiples of {self.config.downscale}"
            )
        return Posterior(*self.encoder(picture).chunk(2, dim=1))

    def encode(self, picture: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b z h w"]:
        """The model-space latent of a picture in [-1, 1]: the posterior's mean, shifted and scaled."""
        return (self.posterior(picture).mean - self.config.shift_factor) * self.config.scaling_factor

    def decode(self, latent: Float[Tensor, "b z h w"]) -> Float[Tensor, "b 3 H W"]:
        """The picture of a model-space latent, nominally in [-1, 1]."""
        return self.decoder(self.to_raw(latent))

    def to_raw(self, latent: Float[Tensor, "b z h w"]) -> Float[Tensor, "b z h w"]:
        """A model-space latent in the raw latent space of the weights."""
        return latent / self.config.scaling_factor + self.config.shift_factor


class Encoder(nn.Module):
    """Picture to the 2z channels of the posterior."""

    def __init__(self, config: VAEConfig, *, ops: Ops, **factory: Unpack[Factory]) -> None:
        super().__init__()
        widths = config.encoder_widths
        groups = norm_groups(widths)
        self.conv_in = ops.Conv2d(3, widths[0], 3, padding=1, **factory)
        self.down: Layers[ResolutionLevel] = Layers()
        for level, (in_width, width) in enumerate(zip(widths[:1] + widths[:-1], widths, strict=True)):
            resolution = ResolutionLevel(in_width, width, config.encoder_blocks, groups, ops=ops, **factory)
            if level < len(widths) - 1:
                resolution.downsample = Downsample(width, ops=ops, **factory)
            self.down.append(resolution)
        self.mid = Middle(widths[-1], groups, ops=ops, **factory)
        self.norm_out = ops.GroupNorm(groups, widths[-1], eps=1e-6, **factory)
        self.conv_out = ops.Conv2d(widths[-1], 2 * config.latent_channels, 3, padding=1, **factory)

    def forward(self, x: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b k h w"]:
        x = self.conv_in(x)
        for step in self.steps():
            x = step(x)
        return self.conv_out(norm_silu(self.norm_out, x))

    def steps(self) -> Iterator[nn.Module]:
        """Everything between the first convolution and the last norm."""
        for resolution in self.down:
            yield from resolution.steps()
        yield from self.mid.steps()


class Decoder(nn.Module):
    """Raw latent to picture. `up[0]` is the finest resolution, so `up` runs backwards."""

    def __init__(self, config: VAEConfig, *, ops: Ops, **factory: Unpack[Factory]) -> None:
        super().__init__()
        widths = config.decoder_widths
        groups = norm_groups(widths)
        self.conv_in = ops.Conv2d(config.latent_channels, widths[-1], 3, padding=1, **factory)
        self.mid = Middle(widths[-1], groups, ops=ops, **factory)
        self.up: Layers[ResolutionLevel] = Layers()
        for level, (in_width, width) in enumerate(zip(widths[1:] + widths[-1:], widths, strict=True)):
            resolution = ResolutionLevel(in_width, width, config.decoder_blocks, groups, ops=ops, **factory)
            if level > 0:
                resolution.upsample = Upsample(width, ops=ops, **factory)
            self.up.append(resolution)
        self.norm_out = ops.GroupNorm(groups, widths[0], eps=1e-6, **factory)
        self.conv_out = ops.Conv2d(widths[0], 3, 3, padding=1, **factory)

    def forward(self, z: Float[Tensor, "b z h w"]) -> Float[Tensor, "b 3 H W"]:
        x = self.conv_in(z)
        for step in self.steps():
            x = step(x)
        return self.conv_out(norm_silu(self.norm_out, x))

    def steps(self) -> Iterator[nn.Module]:
        """Everything between the first convolution and the last norm."""
        yield from self.mid.steps()
        for resolution in reversed(list(self.up)):
            yield from resolution.steps()


class ResolutionLevel(nn.Module):
    """The residual blocks of one resolution, and the change to the next where there is one."""

    def __init__(
        self, in_width: int, width: int, n_blocks: int, groups: int, *, ops: Ops, **factory: Unpack[Factory]
    ) -> None:
        super().__init__()
        self.downsample: Downsample | None = None
        self.upsample: Upsample | None = None
        widths = [in_width] + [width] * n_blocks
        self.block: Layers[ResnetBlock] = Layers(
            ResnetBlock(in_width, out_width, groups, ops=ops, **factory) for in_width, out_width in pairwise(widths)
        )

    def steps(self) -> Iterator[nn.Module]:
        """The blocks in order, then the change of resolution."""
        yield from self.block
        yield from (each for each in (self.downsample, self.upsample) if each is not None)


class ResnetBlock(nn.Module):
    """conv(silu(norm(·))) twice, with a residual connection around both."""

    def __init__(self, in_width: int, width: int, groups: int, *, ops: Ops, **factory: Unpack[Factory]) -> None:
        super().__init__()
        self.norm1 = ops.GroupNorm(groups, in_width, eps=1e-6, **factory)
        self.conv1 = ops.Conv2d(in_width, width, 3, padding=1, **factory)
        self.norm2 = ops.GroupNorm(groups, width, eps=1e-6, **factory)
        self.conv2 = ops.Conv2d(width, width, 3, padding=1, **factory)
        self.nin_shortcut = ops.Conv2d(in_width, width, 1, **factory) if in_width != width else nn.Identity()

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k h w"]:
        # nested calls: the inner convolution's output is freed before the outer one allocates its own
        change = self.conv2(norm_silu(self.norm2, self.conv1(norm_silu(self.norm1, x))))
        return add_residual(change, self.nin_shortcut(x))


class Middle(nn.Module):
    """Attention between two residual blocks, at the coarsest resolution."""

    def __init__(self, width: int, groups: int, *, ops: Ops, **factory: Unpack[Factory]) -> None:
        super().__init__()
        self.block_1 = ResnetBlock(width, width, groups, ops=ops, **factory)
        self.attn_1 = AttentionBlock(width, groups, ops=ops, **factory)
        self.block_2 = ResnetBlock(width, width, groups, ops=ops, **factory)

    def steps(self) -> Iterator[nn.Module]:
        """The three in order."""
        yield from (self.block_1, self.attn_1, self.block_2)


class AttentionBlock(nn.Module):
    """Single-head attention over all cells, projected by 1x1 convolutions."""

    def __init__(self, width: int, groups: int, *, ops: Ops, **factory: Unpack[Factory]) -> None:
        super().__init__()
        self.norm = ops.GroupNorm(groups, width, eps=1e-6, **factory)
        self.q = ops.Conv2d(width, width, 1, **factory)
        self.k = ops.Conv2d(width, width, 1, **factory)
        self.v = ops.Conv2d(width, width, 1, **factory)
        self.proj_out = ops.Conv2d(width, width, 1, **factory)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        normed = self.norm(x)
        q, k, v = (to_tokens(project(normed)) for project in (self.q, self.k, self.v))
        del normed  # makes room for what attention allocates
        attended = rearrange(attention_in_slices(q, k, v), "b (h w) c -> b c h w", h=x.shape[-2])
        return x + self.proj_out(attended)


class Downsample(nn.Module):
    """Halves both sides; zeros are padded on the right and at the bottom only."""

    def __init__(self, width: int, *, ops: Ops, **factory: Unpack[Factory]) -> None:
        super().__init__()
        self.conv = ops.Conv2d(width, width, 3, stride=2, **factory)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h/2 w/2"]:
        return self.conv(pad(x, (0, 1, 0, 1)))


class Upsample(nn.Module):
    """Doubles both sides by repeating pixels, then convolves."""

    def __init__(self, width: int, *, ops: Ops, **factory: Unpack[Factory]) -> None:
        super().__init__()
        self.conv = ops.Conv2d(width, width, 3, padding=1, **factory)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c 2*h 2*w"]:
        return self.conv(interpolate(x, scale_factor=2.0, mode="nearest"))


def norm_silu(norm: nn.Module, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """silu(norm(x)), in place in the norm's output where no gradient needs it."""
    return silu(norm(x), inplace=not torch.is_grad_enabled())


def add_residual(change: Float[Tensor, "b c h w"], x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """x + change, in place in `change` where no gradient needs it."""
    return x + change if torch.is_grad_enabled() else change.add_(x)


def to_tokens(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 1 n c"]:
    """Cells as tokens with contiguous channels, as fast attention kernels require."""
    return rearrange(x, "b c h w -> b 1 (h w) c").contiguous()
