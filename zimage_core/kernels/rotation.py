"""The Hadamard rotation that spreads outliers over channels before quantization (ConvRot, as in ComfyUI's int8 files).

Letters: b batch, i columns, g columns of one rotation group.
"""

from functools import lru_cache

import torch
from torch import Tensor

from .._shapes import Float

GROUPS = (256, 64, 16, 4)  # powers of four; every published file uses 256
FUSED_GROUP = 256  # the one that Triton kernels rotate by


@lru_cache(maxsize=4)
def hadamard(size: int) -> Float[Tensor, "g g"]:
    """ConvRot's regular Hadamard matrix, orthogonal and symmetric; `size` is a power of four."""
    four = torch.tensor([[1.0, 1.0, 1.0, -1.0], [1.0, 1.0, -1.0, 1.0], [1.0, -1.0, 1.0, 1.0], [-1.0, 1.0, 1.0, 1.0]])
    matrix = four
    while len(matrix) < size:
        matrix = torch.kron(matrix, four)
    return matrix / size**0.5


def largest_group(columns: int) -> int | None:
    """The largest group size that divides a number of columns; None if not even 4 does."""
    return next((group for group in GROUPS if columns % group == 0), None)


def rotated(x: Float[Tensor, "*b i"], group: int) -> Float[Tensor, "*b i"]:
    """Every group of columns times the Hadamard matrix, in x's dtype. The rotation is its own inverse."""
    return (x.unflatten(-1, (-1, group)) @ _hadamard_on(x.device, x.dtype, group)).flatten(-2)


@lru_cache(maxsize=16)
def _hadamard_on(device: torch.device, dtype: torch.dtype, size: int) -> Float[Tensor, "g g"]:
    """Cached: a copy to the GPU in every layer would make the CPU wait, and is not allowed in a CUDA graph capture."""
    with torch.inference_mode(False):
        return hadamard(size).to(device, dtype)
