"""Bytes of activations the autoencoder needs for a picture, counted from its widths; weights are not included.

Each step of the network has some feature maps alive at once, and its largest convolution may be run by a library that
copies its input and output into another memory format. The feature maps are counted exactly; the copies are an upper
estimate, since no library documents what it allocates.

Letters: h w latent cells.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch

from ..attention import slice_size
from ..config import VAEConfig

SCORE_COPIES = 4  # scores and softmax in float32, as values of 16 bits


class StepValues(NamedTuple):
    """How many values one step of the network has in memory at once."""

    alive: int  # in feature maps
    copied: int  # in copies that a convolution may make


def decode_peak_bytes(config: VAEConfig, latent_size: tuple[int, int], dtype: torch.dtype) -> int:
    """Peak bytes of feature maps while one latent of (h, w) cells is decoded."""
    return dtype.itemsize * max(step.alive for step in decoding(config, latent_size))


def decode_budget_bytes(config: VAEConfig, latent_size: tuple[int, int], dtype: torch.dtype) -> int:
    """Bytes to keep free while one latent of (h, w) cells is decoded: feature maps and copies of them."""
    return dtype.itemsize * max(map(sum, decoding(config, latent_size)))


def encode_budget_bytes(config: VAEConfig, latent_size: tuple[int, int], dtype: torch.dtype) -> int:
    """Bytes to keep free while a picture is encoded to a latent of (h, w) cells."""
    return dtype.itemsize * max(map(sum, encoding(config, latent_size)))


def strips_ram_bytes(config: VAEConfig, latent_size: tuple[int, int], dtype: torch.dtype) -> int:
    """Bytes of RAM in which whole feature maps wait while one latent of (h, w) cells is decoded in strips of rows."""
    return dtype.itemsize * max(strip_maps(config, latent_size))


def strip_maps(config: VAEConfig, latent_size: tuple[int, int]) -> Iterator[int]:
    """Values of all maps that a step of the decoder in strips holds at once."""
    widths = config.decoder_widths
    cells, in_width = latent_size[0] * latent_size[1], widths[-1]
    for level in reversed(range(len(widths))):
        width = widths[level]
        yield (
            in_width + 2 * width
        ) * cells  # a residual block: its input, the map between its convolutions, its output
        if level > 0:
            yield (1 + 4) * width * cells
            cells *= 4
        in_width = width


def decoding(config: VAEConfig, latent_size: tuple[int, int]) -> Iterator[StepValues]:
    """The decoder's steps, from the coarsest resolution on."""
    widths = config.decoder_widths
    cells, in_width = latent_size[0] * latent_size[1], widths[-1]
    yield from middle_steps(in_width, cells)
    for level in reversed(range(len(widths))):
        width = widths[level]
        yield residual_step(in_width, width, cells)
        yield residual_step(width, width, cells)
        if level > 0:
            yield StepValues(alive=(1 + 4 + 4) * width * cells, copied=2 * 4 * width * cells)
            cells *= 4
        in_width = width


def encoding(config: VAEConfig, latent_size: tuple[int, int]) -> Iterator[StepValues]:
    """The encoder's steps, from the finest resolution on."""
    widths = config.encoder_widths
    cells, in_width = latent_size[0] * latent_size[1] * config.downscale**2, widths[0]
    for level, width in enumerate(widths):
        yield residual_step(in_width, width, cells)
        yield residual_step(width, width, cells)
        if level < len(widths) - 1:
            yield StepValues(alive=2 * width * cells + width * cells // 4, copied=width * cells + width * cells // 4)
            cells //= 4
        in_width = width
    yield from middle_steps(in_width, cells)


def middle_steps(width: int, cells: int) -> Iterator[StepValues]:
    """Residual blocks around attention: x, q, k, v and attended; then also projected and the sum.

    Where no fused kernel runs, attention copies keys and values to float32, and has the scores of one slice of queries.
    """
    yield residual_step(width, width, cells)
    yield StepValues(alive=5 * width * cells, copied=(4 * width + SCORE_COPIES * slice_size(width)) * cells)
    yield StepValues(alive=7 * width * cells, copied=2 * width * cells)


def residual_step(in_width: int, width: int, cells: int) -> StepValues:
    """The block's input beside the input and output of its first or of its second convolution."""
    return StepValues(alive=max(2 * in_width + width, in_width + 2 * width) * cells, copied=(in_width + width) * cells)
