"""Widths from tensor shapes, for the networks' `read_config`.

A test model, the built-in nano and the 6B load through the same code. What no shape tells is a default of the config
classes: norm epsilons, rope bases, the latent's scale and shift.
"""

import re
from collections.abc import Collection, Mapping

from torch import Tensor

Shapes = Mapping[str, Tensor]  # on the meta device, under the model's keys


def count_blocks(keys: Collection[str], prefix: str) -> int:
    """How many numbered modules the list of modules named `prefix` has."""
    pattern = re.compile(re.escape(prefix) + r"\.(\d+)\.")
    return len({match[1] for key in keys if (match := pattern.match(key))})


def ffn_width(shapes: Shapes, first: str, last: str) -> int:
    """The hidden width of an MLP between two matrices (ffn, d) and (d, ffn).

    Block formats pad the outer side of a matrix, so either may be larger than the other.
    """
    return min(len(shapes[first]), shapes[last].shape[1])
