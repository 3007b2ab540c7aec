"""The Hadamard rotation that spreads outliers before numbers are rounded (ConvRot, as in ComfyUI's int8 files).

Letters: b batch, i columns, g a group of columns that turn together.
"""

from functools import lru_cache

import torch
from torch import Tensor

from .._shapes import Float

GROUPS = (256, 64, 16, 4)  # powers of four; 256 in every published file


@lru_cache(maxsize=4)
def hadamard(size: int) -> Float[Tensor, "g g"]:
    """The regular Hadamard matrix of ConvRot, orthogonal and symmetric; `size` is a power of four."""
    four = torch.tensor([[1.0, 1.0, 1.0, -1.0], [1.0, 1.0, -1.0, 1.0], [1.0, -1.0, 1.0, 1.0], [-1.0, 1.0, 1.0, 1.0]])
    matrix = four
    while len(matrix) < size:
        matrix = torch.kron(matrix, four)
    return matrix / size**0.5


def largest_group(columns: int) -> int | None:
    """The widest group that divides so many columns; None where not even four do."""
    return next((group for group in GROUPS if columns % group == 0), None)


def rotated(x: Float[Tensor, "*b i"], group: int) -> Float[Tensor, "*b i"]:
    """Every group of columns turned, in x's own type. Turning twice gives x back."""
    return (x.unflatten(-1, (-1, group)) @ _hadamard_at(group, x.device, x.dtype)).flatten(-2)


@lru_cache(maxsize=16)
def _hadamard_at(size: int, device: torch.device, dtype: torch.dtype) -> Float[Tensor, "g g"]:
    """Brought there once: a copy in every layer would let the host wait for the card, and cannot be recorded."""
    with torch.inference_mode(False):
        return hadamard(size).to(device, dtype)
