"""Scale rows: what RMS-normed tokens are multiplied with, channel by channel.

A scale row is a norm's own weight, or that weight times the adaLN modulation of one noise level.

Letters: b batch, n tokens, d width.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from .._shapes import Float


class SplitRow(NamedTuple):
    """Two scale rows: the first `start` tokens are clean (of reference pictures), the tokens after them are noisy."""

    clean: Float[Tensor, "#b 1 d"]
    noisy: Float[Tensor, "#b 1 d"]
    start: int  # index of the first noisy token


ScaleRow = Float[Tensor, "#b 1 d"] | SplitRow


def scaled(x: Float[Tensor, "b n d"], row: ScaleRow) -> Float[Tensor, "b n d"]:
    """Tokens times their scale row; the row is broadcast, never expanded to a row per token."""
    if not isinstance(row, SplitRow):
        return x * row
    return torch.cat((x[:, : row.start] * row.clean, x[:, row.start :] * row.noisy), dim=1)


def scale_(x: Float[Tensor, "b n d"], row: ScaleRow) -> Float[Tensor, "b n d"]:
    """`scaled` in place, for tensors the caller has allocated itself."""
    if not isinstance(row, SplitRow):
        return x.mul_(row)
    x[:, : row.start].mul_(row.clean)
    x[:, row.start :].mul_(row.noisy)
    return x


def as_weight(row: ScaleRow, like: Tensor) -> Float[Tensor, " d"] | None:
    """The row as the `weight` argument of `rms_norm`; None unless it is one row for all tokens, in their dtype."""
    if isinstance(row, SplitRow) or row.shape[0] != 1 or row.dtype != like.dtype:
        return None
    return row.flatten()


def finite(x: Tensor) -> Tensor:
    """Clamp float16 overflow to the largest finite value, as published weights reach activations of 4e5.

    Other dtypes are returned as they are.
    """
    return torch.nan_to_num(x, nan=0.0) if x.dtype == torch.float16 else x
