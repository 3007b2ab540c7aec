"""`PackedWeight`: a weight in fewer bits than it computes in, unpacked in passes of a few rows to save memory."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

PASS_VALUES = 1 << 24  # values dequantized at once: 64 MB of float32
ROW_STEP = 128  # block scales are stored in tiles of 128 rows, so passes begin at multiples of it

Stored = Mapping[str, Tensor]  # "weight" and its companions, such as "weight_scale"


@dataclass(frozen=True)
class PackedWeight:
    """One weight as its file stores it. Matrices among `stored` are split by rows, all else belongs to every row."""

    format: str
    shape: tuple[int, ...]  # of its values; block formats may have padded it
    stored: Stored
    dequantize: Callable[[Stored], Tensor]  # rows of `stored` to rows of values, in float32
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])  # of its format, under ComfyUI's names

    def unpack(self, dtype: torch.dtype, shape: tuple[int, ...] | None = None) -> Tensor:
        """Its values in `dtype`, rounded once from float32; `shape` removes the padding of block formats."""
        values = torch.empty(math.prod(self.shape), dtype=dtype)
        start = 0
        for rows in self._passes():
            piece = self.dequantize(rows).flatten()
            values[start : start + len(piece)] = piece
            start += len(piece)
        values = values.view(self.shape)
        if shape is None or shape == self.shape:
            return values
        return values[tuple(slice(width) for width in shape)].contiguous()

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether these are the values of a weight of this shape, padded or not."""
        return len(shape) == len(self.shape) and all(
            0 <= padded - width < self.padding for padded, width in zip(self.shape, shape, strict=True)
        )

    @property
    def padding(self) -> int:
        """The multiple to which each side may have been padded."""
        return {"nvfp4": 16, "mxfp8": 32}.get(self.format, 1)

    def _passes(self) -> Iterator[dict[str, Tensor]]:
        n_rows = len(self.stored["weight"])
        rows_at_once = PASS_VALUES * n_rows // max(math.prod(self.shape), 1)
        step = max(rows_at_once // ROW_STEP, 1) * ROW_STEP
        for start in range(0, n_rows, step):
            yield {
                name: tensor[start : start + step] if tensor.ndim == 2 else tensor
                for name, tensor in self.stored.items()
            }


StoredTensor = Tensor | PackedWeight  # a tensor of a file that is read, its packed weights not yet unpacked
