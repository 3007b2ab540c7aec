"""Images and captions as token sequences: patches, padding, positions, and the inverse of patchifying.

Letters: b batch, c latent channels, h w patch grid, p patch side, n tokens.
"""

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor

from .._shapes import Float
from ..config import SEQUENCE_MULTIPLE


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Scale and shift of patch positions on the row and column axes; by default one step per patch from the origin."""

    scale: tuple[float, float] = (1.0, 1.0)
    shift: tuple[float, float] = (0.0, 0.0)


UNIT_GRID = Grid()


def padded_length(n: int) -> int:
    """The token count after learned padding: the next multiple of 32."""
    return n + -n % SEQUENCE_MULTIPLE


def patchify(latent: Float[Tensor, "b c H W"], patch: int) -> Float[Tensor, "b n pqc"]:
    """Cut a latent into patch vectors, row-major; inside a patch row, then column, then channel (fastest)."""
    return rearrange(latent, "b c (h p) (w q) -> b (h w) (p q c)", p=patch, q=patch)


def unpatchify(patches: Float[Tensor, "b n pqc"], size: tuple[int, int], patch: int) -> Float[Tensor, "b c H W"]:
    """Inverse of `patchify`; `size` is the patch grid (h, w)."""
    h, w = size
    return rearrange(patches, "b (h w) (p q c) -> b c (h p) (w q)", h=h, w=w, p=patch, q=patch)


def patch_grid(latent_size: tuple[int, int], patch: int) -> tuple[int, int]:
    """Patches along height and width of a latent of (H, W) cells."""
    height, width = latent_size
    if height % patch or width % patch or not height or not width:
        raise ValueError(
            f"a latent of {height}x{width} cells does not divide into {patch}x{patch} patches; "
            f"use picture sides that are multiples of {patch * 8} pixels"
        )
    return height // patch, width // patch


def caption_positions(length: int, start: int = 1) -> Float[Tensor, "n 3"]:
    """Positions of a padded caption: (start, 0, 0), (start + 1, 0, 0), …; pads keep counting."""
    sequence = torch.arange(start, start + length, dtype=torch.float32)
    return torch.stack((sequence, torch.zeros_like(sequence), torch.zeros_like(sequence)), dim=-1)


def image_positions(size: tuple[int, int], start: int, grid: Grid = UNIT_GRID) -> Float[Tensor, "n 3"]:
    """Positions (start, row, column) of an image's patches, then (0, 0, 0) for its pads up to a multiple of 32."""
    h, w = size
    rows = torch.arange(h, dtype=torch.float32) * grid.scale[0] + grid.shift[0]
    columns = torch.arange(w, dtype=torch.float32) * grid.scale[1] + grid.shift[1]
    positions = torch.zeros(padded_length(h * w), 3)
    positions[: h * w] = torch.cartesian_prod(torch.tensor([float(start)]), rows, columns)
    return positions
