"""Which of a transformer's tensors stay on the device, which are streamed, and which are needed before sampling only.

Streamed blocks are spread evenly among the resident ones. Copy j waits for streamed block j - 2, which used the slot
before, and block j waits for copy j; if the streamed blocks were bunched, copies would have to wait while resident
blocks compute. A step of 30 equal blocks, 12 of them streamed at the end and each copied in twice a block's time, takes
as long as 40 blocks; spread evenly it takes 30, as long as computing alone.
"""

from typing import NamedTuple

from torch import Tensor

from ...model import S3DiT
from .device_scope import named_tensors

PREPARATION = ("cap_embedder.", "context_refiner.", "siglip_embedder.", "siglip_refiner.", "t_embedder.")


class Partition(NamedTuple):
    """A transformer's tensors by when they have to be on the device."""

    resident: list[Tensor]  # as long as it samples
    preparation: list[Tensor]  # before the first step only: caption refiner and adaLN, which become tables
    streamed: dict[int, list[Tensor]]  # by layer index: while their block computes


def partition(dit: S3DiT, n_resident: int) -> Partition:
    """The partition with `n_resident` whole layers. All norms are resident: adaLN tables are computed from them."""
    n_layers = len(dit.layers)
    if not 0 <= n_resident <= n_layers:
        raise ValueError(
            f"{n_resident} resident blocks were asked for; the model has {n_layers}, choose 0 to {n_layers}"
        )
    parts = Partition([], [], {layer: [] for layer in spread_evenly(n_layers, n_layers - n_resident)})
    for name, tensor in named_tensors(dit):
        kind, index = name.split(".")[:2] if name.startswith("layers.") else (name, "-1")
        if name.startswith(PREPARATION) or "adaLN_modulation." in name:
            parts.preparation.append(tensor)
        elif kind == "layers" and int(index) in parts.streamed and "norm" not in name:
            parts.streamed[int(index)].append(tensor)
        else:
            parts.resident.append(tensor)
    return parts


def spread_evenly(total: int, count: int) -> list[int]:
    """`count` indices below `total`, as evenly spaced as integers allow."""
    return [(index + 1) * total // count - 1 for index in range(count)]
