"""What learns beside one layer of a frozen network: adds to the layer's output, and becomes deltas of its weight.

Letters: p parts (queries, keys and values of a fused layer; 1 elsewhere), i input width, o output width of a part.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..._shapes import Float
from ...adapters import Delta


class Place(NamedTuple):
    """A linear layer, quantized or not, and in how many parts its rows are adapted."""

    layer: nn.Module
    height: int  # o
    width: int  # i
    n_parts: int  # p


class Branch(nn.Module):
    """Its parameters are float32; untrained it changes nothing."""

    def forward(self, x: Float[Tensor, "... i"], out: Float[Tensor, "... po"]) -> Float[Tensor, "... po"]:
        """What is added to the output `out` of the layer for its input `x`."""
        raise NotImplementedError

    def deltas(self, dtype: torch.dtype) -> Sequence[Delta]:
        """The change of each part of the weight, on the CPU."""
        raise NotImplementedError


def drawn(shape: tuple[int, ...], generator: torch.Generator) -> nn.Parameter:
    """Values of a uniform distribution as PEFT and LyCORIS draw them: variance 1 / (3 · width)."""
    return nn.Parameter((2 * torch.rand(shape, generator=generator) - 1) * shape[-1] ** -0.5)
