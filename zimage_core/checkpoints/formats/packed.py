"""A weight in fewer bits than it computes in, and how to have its values back without a second copy of the file."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

PASS_VALUES = 1 << 24  # dequantised at once: 64 MB of float32
ROW_STEP = 128  # block scales are stored in tiles of so many rows, so passes begin at multiples of it

Stored = Mapping[str, Tensor]


@dataclass(frozen=True)
class Packed:
    """One weight as its file stores it. Matrices among `stored` are cut by rows, all else belongs to every row."""

    format: str
    shape: tuple[int, ...]  # of its values; block formats may have padded it
    stored: Stored  # "weight" and its companions
    dequantise: Callable[[Stored], Tensor]  # rows of `stored` to rows of values, in float32
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])  # what its marker says, in ComfyUI's words

    def unpack(self, dtype: torch.dtype, shape: tuple[int, ...] | None = None) -> Tensor:
        """Its values, rounded once; `shape` cuts the padding of block formats off."""
        values = torch.empty(math.prod(self.shape), dtype=dtype)
        at = 0
        for rows in self._passes():
            piece = self.dequantise(rows).flatten()
            values[at : at + len(piece)] = piece
            at += len(piece)
        values = values.view(self.shape)
        if shape is None or shape == self.shape:
            return values
        return values[tuple(slice(width) for width in shape)].contiguous()

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether these are the values of a weight of this shape, padded or not."""
        return len(shape) == len(self.shape) and all(
            0 <= found - wanted < self.padding for found, wanted in zip(self.shape, shape, strict=True)
        )

    @property
    def padding(self) -> int:
        """The multiple each side may have been filled up to."""
        return {"nvfp4": 16, "mxfp8": 32}.get(self.format, 1)

    def _passes(self) -> Iterator[dict[str, Tensor]]:
        n_rows = len(self.stored["weight"])
        rows_at_once = PASS_VALUES * n_rows // max(math.prod(self.shape), 1)
        step = max(rows_at_once // ROW_STEP, 1) * ROW_STEP
        for start in range(0, n_rows, step):
            yield {name: part[start : start + step] if part.ndim == 2 else part for name, part in self.stored.items()}


Value = Tensor | Packed
