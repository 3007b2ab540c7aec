"""What a picture takes on its way through the autoencoder, counted from the network's shapes; weights are left out.

Every step holds some maps at once, and its largest convolution may be run by a library that copies its input and output
into another layout. Counting is exact for the first and an allowance for the second: no library says what it takes.

Letters: h w cells of the latent.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch

from ..config import VAEConfig


class Need(NamedTuple):
    """Values a step needs at once."""

    alive: int  # in maps of ours
    copied: int  # in copies a convolution may make


def decode_peak_bytes(config: VAEConfig, latent_size: tuple[int, int], dtype: torch.dtype) -> int:
    """Bytes of maps alive at once while one latent of (h, w) cells is decoded."""
    return dtype.itemsize * max(need.alive for need in decoding(config, latent_size))


def decode_budget_bytes(config: VAEConfig, latent_size: tuple[int, int], dtype: torch.dtype) -> int:
    """Bytes to keep free while one latent of (h, w) cells is decoded: the maps, and room for copies of them."""
    return dtype.itemsize * max(map(sum, decoding(config, latent_size)))


def encode_peak_bytes(config: VAEConfig, latent_size: tuple[int, int], dtype: torch.dtype) -> int:
    """Bytes of maps alive at once while a picture is encoded to a latent of (h, w) cells."""
    return dtype.itemsize * max(need.alive for need in encoding(config, latent_size))


def encode_budget_bytes(config: VAEConfig, latent_size: tuple[int, int], dtype: torch.dtype) -> int:
    """Bytes to keep free while a picture is encoded to a latent of (h, w) cells."""
    return dtype.itemsize * max(map(sum, encoding(config, latent_size)))


def decoding(config: VAEConfig, latent_size: tuple[int, int]) -> Iterator[Need]:
    """The decoder's steps, coarsest first."""
    widths = config.decoder_widths
    cells, before = latent_size[0] * latent_size[1], widths[-1]
    yield from middle(before, cells)
    for level in reversed(range(len(widths))):
        width = widths[level]
        yield residual(before, width, cells)
        yield residual(width, width, cells)
        if level > 0:
            yield Need(alive=(1 + 4 + 4) * width * cells, copied=2 * 4 * width * cells)
            cells *= 4
        before = width


def encoding(config: VAEConfig, latent_size: tuple[int, int]) -> Iterator[Need]:
    """The encoder's steps, finest first."""
    widths = config.encoder_widths
    cells, before = latent_size[0] * latent_size[1] * config.downscale**2, widths[0]
    for level, width in enumerate(widths):
        yield residual(before, width, cells)
        yield residual(width, width, cells)
        if level < len(widths) - 1:
            yield Need(alive=2 * width * cells + width * cells // 4, copied=width * cells + width * cells // 4)
            cells //= 4
        before = width
    yield from middle(before, cells)


def middle(width: int, cells: int) -> Iterator[Need]:
    """Residual blocks around attention, which holds x, its norm, q, k, v, what was attended, its product and a sum."""
    yield residual(width, width, cells)
    yield Need(alive=8 * width * cells, copied=2 * width * cells)


def residual(before: int, width: int, cells: int) -> Need:
    """The input beside the first convolution with its input and output, or beside the second with its own."""
    return Need(alive=max(2 * before + width, before + 2 * width) * cells, copied=(before + width) * cells)
