"""A mask as weights of a latent's cells."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .._shapes import Float
from ..data import bucket_size, fit_to_size

CELL = 8  # pixels of a latent cell
TOLERANCE = 0.02  # of a mask's shape


def mask_weights(mask: Image.Image, size: tuple[int, int], area: int, file: Path) -> Float[Tensor, "h w"]:
    """White counts, black does not; 1 on average, so that a loss keeps its scale whatever share of a picture counts.

    `size` is the picture's, width and height in pixels. Raises ValueError with one sentence for a mask of another
    shape, or without a place that counts; `file` is named there.
    """
    if abs(mask.width * size[1] / (mask.height * size[0]) - 1) > TOLERANCE:
        raise ValueError(
            f"{file} has {mask.width}x{mask.height} pixels, but its picture {size[0]}x{size[1]}: a mask needs the "
            "picture's shape"
        )
    bucket = bucket_size(size, area)
    fitted = fit_to_size(mask.convert("L").resize(size, Image.Resampling.BOX), bucket)
    cells = fitted.resize((bucket[0] // CELL, bucket[1] // CELL), Image.Resampling.BOX)
    levels = torch.from_numpy(np.asarray(cells, dtype=np.float32))
    if not levels.any():
        raise ValueError(f"{file} is black everywhere, so that nothing of its picture counts; paint what counts white")
    return levels / levels.mean()
