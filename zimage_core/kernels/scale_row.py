"""What scales normed tokens: one row of factors, or two where clean tokens go before noisy ones.

Letters: b batch, n tokens, d width.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from .._shapes import Float


class Split(NamedTuple):
    """A factor of two values: one for the first `start` tokens, which are clean, one for the noisy rest."""

    clean: Float[Tensor, "#b 1 d"]
    noisy: Float[Tensor, "#b 1 d"]
    start: int


Row = Float[Tensor, "#b 1 d"] | Split


def scaled(x: Float[Tensor, "b n d"], row: Row) -> Float[Tensor, "b n d"]:
    """Tokens times their factor; no factor is ever spread out over tokens."""
    if not isinstance(row, Split):
        return x * row
    return torch.cat((x[:, : row.start] * row.clean, x[:, row.start :] * row.noisy), dim=1)


def scale_(x: Float[Tensor, "b n d"], row: Row) -> Float[Tensor, "b n d"]:
    """`scaled` in place, for tokens the caller made itself."""
    if not isinstance(row, Split):
        return x.mul_(row)
    x[:, : row.start].mul_(row.clean)
    x[:, row.start :].mul_(row.noisy)
    return x


def as_weight(row: Row, like: Tensor) -> Float[Tensor, " d"] | None:
    """The row as a norm's own weight, where it is one row for all tokens and of their type."""
    if isinstance(row, Split) or row.shape[0] != 1 or row.dtype != like.dtype:
        return None
    return row.flatten()


def finite(x: Tensor) -> Tensor:
    """Clamp what float16 cannot hold: published weights reach activations of 4e5. Other types pass untouched."""
    return torch.nan_to_num(x, nan=0.0) if x.dtype == torch.float16 else x
