"""Block streaming: a transformer larger than its device, some blocks resident and the others copied in as they run.

    with stream(dit, device, resident=18) as blocks:
        with blocks.preparing():
            condition = dit.prepare(captions, cells, run=blocks.run)
            velocity = dit.flow(condition, sigmas, run=blocks.run)
        ...  # sample with `velocity`

While one block computes, the next streamed one is copied, and the first one of the next step during the last of this
step. Caption refiner, timestep embedder and adaLN, about 1 GB, are used only before the first step and are on the
device only inside `preparing`. Afterwards every tensor is the object it was, in CPU memory, bit for bit.

Between blocks all of the model's tensors point at CPU memory: a block's tensors point into a slot only while it runs.
"""

import logging
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from ...model import Block, RunBlock, S3DiT, Stage
from ...model.condition import run_block
from .arena import MemoryLayout, memory_layout, move_into_arena
from .copy_streams import SLOTS, Copy, CopyStream, copy_stream_for
from .device_scope import tensors_on_device
from .partition import Partition, partition

LOGGER = logging.getLogger("zimage")


class StreamedBlock(NamedTuple):
    """A streamed block's tensors, their data in CPU memory and in each slot, and the copies that fill a slot."""

    tensors: Sequence[Tensor]
    cpu_data: Sequence[Tensor]
    slot_views: Sequence[Sequence[Tensor]]  # by slot
    copies: Sequence[Sequence[Copy]]  # by slot


class BlockStream:
    """Runs a transformer's blocks, with the streamed ones copied to the device ahead of time."""

    def __init__(
        self, parts: Partition, device: torch.device, copy_stream: CopyStream, base_run_block: RunBlock
    ) -> None:
        self._preparation, self._device = parts.preparation, device
        self._copies, self._base_run_block = copy_stream, base_run_block
        self._positions: dict[int, int] = {}  # from a block's id to its position among the streamed blocks
        self._blocks: list[StreamedBlock] = []
        self._slot_contents = [-1] * SLOTS  # the position of the block in each slot

    def open(self, blocks: Sequence[Block], streamed: Sequence[StreamedBlock]) -> None:
        """Start copying the first blocks."""
        self._positions = {id(block): position for position, block in enumerate(blocks)}
        self._blocks = list(streamed)
        for slot in range(min(SLOTS, len(streamed))):
            self._copies.release(slot)
            self._fetch(slot, slot)

    def close(self) -> None:
        """Free the slots; from here on `run` only calls the base one."""
        self._copies.synchronize()
        self._positions.clear()
        self._blocks.clear()

    def preparing(self) -> AbstractContextManager[None]:
        """Caption refiner, timestep embedder and adaLN on the device for the length of a `with` block.

        Stay inside while sampling only if the solver evaluates at noise levels that `flow` was not given.
        """
        return tensors_on_device(self._preparation, self._device)

    def run(self, stage: Stage, index: int, block: Block, x: Tensor) -> Tensor:
        """A `RunBlock`: the base one, with the block's weights on the device."""
        position = self._positions.get(id(block))
        if position is None:
            return self._base_run_block(stage, index, block, x)
        if position not in self._slot_contents:
            self._fetch(position, 0)  # not the next in order: the last step was interrupted
        slot = self._slot_contents.index(position)
        self._fetch(self._following(position, 1), 1 - slot)
        self._copies.wait_filled(slot)
        try:
            with _data_in_slot(self._blocks[position], slot):
                return self._base_run_block(stage, index, block, x)
        finally:
            self._copies.release(slot)
            self._fetch(self._following(position, 2), slot)

    def _following(self, position: int, count: int) -> int:
        """The position `count` streamed blocks later; after the last block comes the first, of the next step."""
        return (position + count) % len(self._blocks)

    def _fetch(self, position: int, slot: int) -> None:
        if position not in self._slot_contents:
            self._slot_contents[slot] = position
            self._copies.fill(slot, self._blocks[position].copies[slot])


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
    streamed = list(parts.streamed.values())
    copy_stream = copy_stream or copy_stream_for(device)
    streaming = BlockStream(parts, device, copy_stream, base_run_block)
    with tensors_on_device(parts.resident, device), _arena(streamed, arena_limit, copy_stream) as memories:
        streaming.open(
            [block for layer, block in enumerate(dit.layers) if layer in parts.streamed],
            _streamed_blocks(streamed, memories, device),
        )
        try:
            yield streaming
        finally:
            streaming.close()


@contextmanager
def _arena(
    blocks: Sequence[Sequence[Tensor]], limit: int | None, copy_stream: CopyStream
) -> Generator[Sequence[Tensor | None], None, None]:
    """Each block's memory in a pinned arena, or None where its tensors stay in their own memory."""
    layouts = [memory_layout(tensors) for tensors in blocks]
    needed = sum(layout.nbytes for layout in layouts)
    if limit is not None and needed > limit:
        LOGGER.warning("Blocks to stream need %s, %s are allowed: no arena, copies are slower", _gb(needed), _gb(limit))
        yield [None] * len(blocks)
        return
    if not needed:
        yield []
        return
    arena, memories = move_into_arena(blocks, layouts)
    is_pinned = copy_stream.pin(arena)
    if not is_pinned:
        LOGGER.warning("The system would not lock %s of memory: blocks are copied from pageable memory", _gb(needed))
    try:
        yield memories
    finally:
        if is_pinned:
            copy_stream.unpin(arena)


def _streamed_blocks(
    blocks: Sequence[Sequence[Tensor]], memories: Sequence[Tensor | None], device: torch.device
) -> list[StreamedBlock]:
    """Slots that hold the largest block, and every block's views of them, created once: addresses never change."""
    layouts = [memory_layout(tensors) for tensors in blocks]
    size = max((layout.nbytes for layout in layouts), default=0)
    with torch.inference_mode(False):  # a slot that is an inference tensor could not be written to outside that mode
        slots = [torch.empty(size, dtype=torch.uint8, device=device) for _ in range(SLOTS)]
        return [_streamed_block(*each, slots) for each in zip(blocks, layouts, memories, strict=True)]


def _streamed_block(
    tensors: Sequence[Tensor], layout: MemoryLayout, memory: Tensor | None, slots: Sequence[Tensor]
) -> StreamedBlock:
    """One block's views and copies; from an arena it is copied in one transfer."""
    cpu_data = [tensor.data for tensor in tensors]
    views = [layout.views(slot) for slot in slots]
    if memory is None:
        copies = [[Copy(view, data) for view, data in zip(each, cpu_data, strict=True)] for each in views]
    else:
        copies = [[Copy(slot[: layout.nbytes], memory)] for slot in slots]
    return StreamedBlock(tensors, cpu_data, views, copies)


@contextmanager
def _data_in_slot(block: StreamedBlock, slot: int) -> Generator[None, None, None]:
    """A block's tensors pointing into a slot for the length of a `with` block."""
    for tensor, view in zip(block.tensors, block.slot_views[slot], strict=True):
        tensor.data = view
    try:
        yield
    finally:
        for tensor, data in zip(block.tensors, block.cpu_data, strict=True):
            tensor.data = data


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
