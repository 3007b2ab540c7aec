"""Numbers in 8 bits with a scale for every row.

Letters: b batch, i width of a row.
"""

from typing import NamedTuple

from torch import Tensor

from .._shapes import Float

SMALLEST_SCALE = 1e-12  # of a row of zeros


class Rows(NamedTuple):
    """Numbers in 8 bits and what to multiply them with."""

    numbers: Tensor  # (…, i) in int8 or E4M3
    scale: Float[Tensor, "*b 1"]  # float32


def row_scale(x: Float[Tensor, "*b i"], largest: int | float) -> Float[Tensor, "*b 1"]:
    """What brings each row's largest magnitude to the largest number of the format."""
    return x.abs().amax(dim=-1, keepdim=True).float().div_(largest).clamp_min_(SMALLEST_SCALE)
