"""Vectors without a model, the same for a picture and its mirror image, nearly the same for a slightly cropped one.

A look is reduced to 8x8 cells of brightness and two opponent colours. From a cell and its counterpart in the mirror
image come their mean and half the size of their difference, neither of which knows left from right.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..._shapes import Float
from .looks import LOOK, Looks, look_of

CELLS = 8
OPPONENT = np.array([[1, 1, 1], [1, -1, 0], [0.5, 0.5, -1]], np.float32).T / np.sqrt([3, 2, 1.5], dtype=np.float32)
SIZE = 3 * CELLS * CELLS


class Perceptual:
    """Vectors of 192 for whole pictures."""

    name = "perceptual 1"

    def pictures(self, pictures: Sequence[Image.Image]) -> Float[Tensor, "n c"]:
        """Of length 1."""
        looks = np.stack([look_of(picture) for picture in pictures]) if pictures else np.empty((0, LOOK, LOOK, 3))
        return torch.from_numpy(described(looks.astype(np.uint8)))


def described(looks: Looks) -> NDArray[np.float32]:
    """Vectors (n 192) of length 1; middle grey is the origin, so its vector is arbitrary but the same for all."""
    step = LOOK // CELLS
    levels = (looks.astype(np.float32) - 127.5) @ OPPONENT
    cells = levels.reshape(-1, CELLS, step, CELLS, step, 3).mean((2, 4))  # (n 8 8 3)
    left, right = cells[:, :, : CELLS // 2], cells[:, :, : CELLS // 2 - 1 : -1]
    vectors = np.concatenate([left + right, np.abs(left - right)], axis=2).reshape(-1, SIZE) / np.sqrt(np.float32(2))
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.where(lengths > 0, vectors / np.maximum(lengths, 1e-6), np.float32(SIZE**-0.5))
