"""Block streaming: a transformer larger than its device, some blocks resident and the others copied in as they run.

    with stream(dit, device, resident=18) as blocks:
        with blocks.preparing():
            condition = dit.prepare(captions, cells, run=blocks.run)
            velocity = dit.flow(condition, sigmas, run=blocks.run)
        ...  # sample with `velocity`

Caption refiner, timestep embedder and adaLN, about 1 GB, are used only before the first step and are on the device only
inside `preparing`. Afterwards every tensor is the object it was, in CPU memory, bit for bit.
"""

from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import Tensor

from ...model import Block, RunBlock, S3DiT, Stage
from ...model.condition import run_block
from .copy_streams import CopyStream, copy_stream_for
from .device_scope import tensors_on_device
from .layer_stream import LayerStream, stream_layers
from .partition import partition


class BlockStream:
    """Runs a transformer's blocks, with the streamed ones copied to the device ahead of time."""

    def __init__(
        self, preparation: Sequence[Tensor], device: torch.device, layers: LayerStream, base_run_block: RunBlock
    ) -> None:
        self._preparation, self._device = preparation, device
        self._layers, self._base_run_block = layers, base_run_block

    def preparing(self) -> AbstractContextManager[None]:
        """Caption refiner, timestep embedder and adaLN on the device for the length of a `with` block.

        Stay inside while sampling only if the solver evaluates at noise levels that `flow` was not given.
        """
        return tensors_on_device(self._preparation, self._device)

    def run(self, stage: Stage, index: int, block: Block, x: Tensor) -> Tensor:
        """A `RunBlock`: the base one, with the block's weights on the device."""
        with self.on_device(block):
            return self._base_run_block(stage, index, block, x)

    def on_device(self, block: Block, *, is_backward: bool = False) -> AbstractContextManager[None]:
        """A block's weights on the device for the length of a `with` block; gradients pass blocks in reverse order."""
        return self._layers.on_device(block, is_backward=is_backward)


@contextmanager
def stream(
    dit: S3DiT,
    device: torch.device | str,
    *,
    resident: int,
    base_run_block: RunBlock = run_block,
    arena_limit: int | None = None,
    copy_stream: CopyStream | None = None,
) -> Generator[BlockStream, None, None]:
    """A transformer in CPU memory, run on a device with `resident` of its layers kept there.

    Streamed layers are moved into one arena of CPU memory, pinned where the system allows it, and stay in the arena
    afterwards. If they need more than `arena_limit` bytes they are copied from where they are, which is slower.
    """
    device = torch.device(device)
    parts = partition(dit, resident)
    streamed = [(dit.layers[layer], tensors) for layer, tensors in parts.streamed.items()]
    layers = stream_layers(streamed, device, arena_limit, copy_stream or copy_stream_for(device))
    with tensors_on_device(parts.resident, device), layers as on_device:
        yield BlockStream(parts.preparation, device, on_device, base_run_block)
