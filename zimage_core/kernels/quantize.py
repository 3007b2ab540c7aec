"""Tokens rounded to 8 bits, a scale for every row, in the form the layers that multiply so want them.

Who makes tokens for such a layer can round them on the way: the norms, the gated feed-forward. A scale for a whole
tensor of activations collapses on this model, whose outliers reach 6e4; one per token does not.

Letters: b batch and tokens, i width of a row, n tokens, d width, f feed-forward width.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from .._shapes import Float
from .rotation import rotated
from .scale_row import Row, finite

SMALLEST_SCALE = 1e-12  # of a row of zeros
LARGEST = {torch.int8: 127.0, torch.float8_e4m3fn: torch.finfo(torch.float8_e4m3fn).max}  # symmetric: no -128


class Rounding(NamedTuple):
    """How rows are rounded: to whole numbers or to E4M3, after groups of columns have been turned together, or not."""

    dtype: torch.dtype
    group: int | None = None

    @property
    def largest(self) -> float:
        """The largest number of the format, which each row's largest magnitude becomes."""
        return LARGEST[self.dtype]


class Rows(NamedTuple):
    """Numbers in 8 bits, what to multiply them with, and the type of what was rounded, which products come back in."""

    numbers: Tensor  # (…, i) in int8 or E4M3
    scale: Float[Tensor, "*b 1"]  # float32
    dtype: torch.dtype

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.numbers.device

    @property
    def shape(self) -> torch.Size:
        """As what was rounded has it."""
        return self.numbers.shape


class Roundings(NamedTuple):
    """One set of kernels that round what they make."""

    rounded: Callable[[Tensor, Rounding], Rows]
    norm: Callable[[Tensor, Row, float, Rounding], Rows]
    swiglu: Callable[[Tensor, Tensor, Rounding], Rows]


def rounded(x: Float[Tensor, "*b i"], rounding: Rounding) -> Rows:
    """Each row divided by its largest magnitude over the format's, and rounded to the nearest, halves to even."""
    # few processors multiply in 16 bits, and the rotation is a product
    turned = x if rounding.group is None else rotated(x.float() if x.device.type == "cpu" else x, rounding.group)
    # a processor finds largest and smallest ten times faster than the largest magnitude
    largest = torch.maximum(turned.amax(dim=-1, keepdim=True), -turned.amin(dim=-1, keepdim=True))
    scale = largest.float().div_(rounding.largest).clamp_min_(SMALLEST_SCALE)
    numbers = turned / scale if turned is x else turned.float().div_(scale)
    if rounding.dtype == torch.int8:
        numbers.round_()
    return Rows(numbers.to(rounding.dtype), scale, x.dtype)


@lru_cache(maxsize=8)
def one_after_the_other(
    norm: Callable[[Tensor, Row, float], Tensor], swiglu: Callable[[Tensor, Tensor], Tensor]
) -> Roundings:
    """Rounding as a step of its own, after kernels that know nothing of it."""

    def norm_rounded(x: Float[Tensor, "b n d"], row: Row, eps: float, rounding: Rounding) -> Rows:
        return rounded(norm(x, row, eps), rounding)

    def swiglu_rounded(gate: Float[Tensor, "b n f"], up: Float[Tensor, "b n f"], rounding: Rounding) -> Rows:
        return rounded(finite(swiglu(gate, up)), rounding)

    return Roundings(rounded, norm_rounded, swiglu_rounded)
