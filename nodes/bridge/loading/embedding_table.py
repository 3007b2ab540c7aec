"""The embedding table of a text encoder, indexed where it lies."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.nn.functional import embedding


class EmbeddingTable:
    """The embedding table, a tenth of the encoder, indexed on the device it is on.

    ComfyUI's layer would copy the whole table to the ids' device for every prompt: with dynamic VRAM, weights stay in
    RAM until they are used.
    """

    def __init__(self, layer: Any) -> None:
        self.layer = layer

    @property
    def weight(self) -> Tensor:
        return self.layer.weight

    def __call__(self, ids: Tensor, out_dtype: torch.dtype) -> Tensor:
        if ids.device == self.weight.device or not is_plain(self.layer):
            return self.layer(ids, out_dtype=out_dtype)
        return lookup(self.weight, ids, out_dtype)


def is_plain(layer: Any) -> bool:
    """Whether a layer's weight can be indexed directly: it is not packed, patched, cast or still on disk."""
    weight = layer.weight
    patches = (*getattr(layer, "weight_function", ()), getattr(layer, "weight_lowvram_function", None))
    is_cast = getattr(layer, "weight_comfy_model_dtype", None) not in (None, weight.dtype)
    return type(weight) is Parameter and not weight.is_meta and not any(patches) and not is_cast


def lookup(table: Tensor, ids: Tensor, dtype: torch.dtype) -> Tensor:
    """Rows (b, n, d) of a table (v, d) for ids (b, n), on the ids' device; only those rows are copied."""
    return embedding(ids.to(table.device), table).to(ids.device, dtype)
