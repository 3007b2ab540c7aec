"""Widths from tensor shapes, for the networks' `read_config`.

A test model, the built-in nano and the 6B load through the same code. What no shape tells is a default of the config
classes: norm epsilons, rope bases, the latent's scale and shift.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from torch import Tensor

Shapes = Mapping[str, Tensor]  # on the meta device, under the model's keys


@dataclass(frozen=True)
class Depth:
    """How many layers a file has, of how many; the last one may be absent where it never runs."""

    found: int
    whole: int  # of the published network

    @property
    def fault(self) -> str:
        """What is wrong, to follow the file's name; nothing if the file has all layers that run."""
        if self.found in (self.whole, self.whole - 1):
            return ""
        return (
            f"has {self.found} layers, but this text encoder has {self.whole} "
            f"({self.whole - 1} where the last one, which never runs, was left out); download the original file"
        )

    def describe(self) -> str:
        """What a report says of layers that are not there."""
        if self.fault:
            return f"{self.found} layers of {self.whole}, a wrong number; download the original file"
        return f"{self.found} of its {self.whole} layers: all that run, as ComfyUI saves a loaded one"


def count_blocks(keys: Collection[str], prefix: str) -> int:
    """How many numbered modules the list of modules named `prefix` has."""
    pattern = re.compile(re.escape(prefix) + r"\.(\d+)\.")
    return len({match[1] for key in keys if (match := pattern.match(key))})


def ffn_width(shapes: Shapes, first: str, last: str) -> int:
    """The hidden width of an MLP between two matrices (ffn, d) and (d, ffn).

    Block formats pad the outer side of a matrix, so either may be larger than the other.
    """
    return min(len(shapes[first]), shapes[last].shape[1])
