"""Decoding and encoding in tiles, when neither the whole picture nor its maps in main memory fit (see `rows.py`).

Letters: b batch, c channels, h w cells of the input, H W cells of the output.

Tiles overlap and are blended with linear ramps. Group norms see one tile at a time, so a tiled picture differs a
little from a whole one everywhere, not only at seams; docs/log.md has the measured differences.
"""

from collections.abc import Callable
from fractions import Fraction
from itertools import product

import torch
from torch import Tensor

from .._shapes import Float
from ..config import VAEConfig
from .activation_bytes import decode_budget_bytes
from .autoencoder import Autoencoder

OVERLAP_CELLS = 16  # latent cells shared by neighbouring tiles: 128 pixels
SMALLEST_TILE_CELLS = 32

Progress = Callable[[int, int], None]


def silent(done: int, total: int) -> None:
    """Reports nothing."""


def fit_tile(config: VAEConfig, latent_size: tuple[int, int], dtype: torch.dtype, budget: int) -> int | None:
    """The largest square tile, in latent cells, that decodes within `budget` bytes; None if no tiling is needed."""
    if decode_budget_bytes(config, latent_size, dtype) <= budget:
        return None
    per_cell = decode_budget_bytes(config, (1, 1), dtype)
    return max(SMALLEST_TILE_CELLS, int((budget / per_cell) ** 0.5) // 8 * 8)


@torch.inference_mode()
def decode_tiled(
    vae: Autoencoder,
    latent: Float[Tensor, "b z h w"],
    tile: int,
    overlap: int = OVERLAP_CELLS,
    progress: Progress = silent,
) -> Float[Tensor, "b 3 H W"]:
    """Decode a model-space latent in tiles of `tile` cells."""
    return blend_tiles(vae.decode, latent, tile, overlap, Fraction(vae.config.downscale), progress)


@torch.inference_mode()
def encode_tiled(
    vae: Autoencoder,
    picture: Float[Tensor, "b 3 H W"],
    tile: int,
    overlap: int = OVERLAP_CELLS,
    progress: Progress = silent,
) -> Float[Tensor, "b z h w"]:
    """Encode a picture to a model-space latent in tiles of `tile` latent cells."""
    factor = vae.config.downscale
    return blend_tiles(vae.encode, picture, tile * factor, overlap * factor, Fraction(1, factor), progress)


def blend_tiles(
    run: Callable[[Tensor], Tensor],
    x: Float[Tensor, "b c h w"],
    tile: int,
    overlap: int,
    ratio: Fraction,
    progress: Progress = silent,
) -> Float[Tensor, "b k H W"]:
    """Apply `run`, which scales sides by `ratio`, tile by tile and blend the results; sums are kept in float32."""
    if not 0 <= overlap < tile:
        raise ValueError(f"tiles of {tile} cannot overlap by {overlap}: the overlap must be smaller than the tile")
    height, width = x.shape[-2:]
    corners = list(product(tile_starts(height, tile, overlap), tile_starts(width, tile, overlap)))
    total = weights = torch.zeros(())
    for index, (top, left) in enumerate(corners):
        part = run(x[..., top : top + tile, left : left + tile])
        if index == 0:
            shape = (*part.shape[:2], int(height * ratio), int(width * ratio))
            total, weights = (
                part.new_zeros(shape, dtype=torch.float32),
                part.new_zeros(shape[-2:], dtype=torch.float32),
            )
        window = ramp(part.shape[-2], int(overlap * ratio), part.device)[:, None] * ramp(
            part.shape[-1], int(overlap * ratio), part.device
        )
        rows = slice(int(top * ratio), int(top * ratio) + part.shape[-2])
        columns = slice(int(left * ratio), int(left * ratio) + part.shape[-1])
        total[..., rows, columns] += part * window
        weights[rows, columns] += window
        progress(index + 1, len(corners))
    return (total / weights).to(x.dtype)


def tile_starts(length: int, tile: int, overlap: int) -> list[int]:
    """Where tiles begin along one side so that they cover it; the last one ends exactly at the border."""
    if length <= tile:
        return [0]
    return [*range(0, length - tile, tile - overlap), length - tile]


def ramp(length: int, overlap: int, device: torch.device) -> Float[Tensor, " length"]:
    """Weights along a tile's side: rising over the overlap, one inside, falling again; never zero."""
    distance = torch.arange(1, length + 1, dtype=torch.float32, device=device)
    return torch.minimum(distance, distance.flip(0)).clamp(max=overlap + 1) / (overlap + 1)
