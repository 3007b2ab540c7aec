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
    matrix = hadamard(group).to(x)
    return (x.unflatten(-1, (-1, group)) @ matrix).flatten(-2)
