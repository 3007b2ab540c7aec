"""Layers streamed through two slots of a device: while one computes, the next one is copied.

The first layer of the next pass is copied during the last of this one. Between layers all tensors point at CPU memory:
a layer's tensors point into a slot only while it runs.
"""

import logging
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .arena import MemoryLayout, memory_layout, move_into_arena
from .copy_streams import SLOTS, Copy, CopyStream

LOGGER = logging.getLogger("zimage")

Streamed = tuple[nn.Module, Sequence[Tensor]]  # a layer, and those of its tensors that are streamed


class StreamedBlock(NamedTuple):
    """A streamed block's tensors, their data in CPU memory and in each slot, and the copies that fill a slot."""

    tensors: Sequence[Tensor]
    cpu_data: Sequence[Tensor]
    slot_views: Sequence[Sequence[Tensor]]  # by slot
    copies: Sequence[Sequence[Copy]]  # by slot


class LayerStream:
    """Puts the weights of streamed layers into a slot as they run, copied ahead of time."""

    def __init__(self, copy_stream: CopyStream) -> None:
        self._copies = copy_stream
        self._positions: dict[int, int] = {}  # from a layer's id to its position among the streamed layers
        self._blocks: list[StreamedBlock] = []
        self._slot_contents = [-1] * SLOTS  # the position of the layer in each slot

    def open(self, layers: Sequence[nn.Module], blocks: Sequence[StreamedBlock]) -> None:
        """Start copying the first layers."""
        self._positions = {id(layer): position for position, layer in enumerate(layers)}
        self._blocks = list(blocks)
        for slot in range(min(SLOTS, len(blocks))):
            self._copies.release(slot)
            self._fetch(slot, slot)

    def close(self) -> None:
        """Free the slots; from here on layers run where they are."""
        self._copies.synchronize()
        self._positions.clear()
        self._blocks.clear()

    @contextmanager
    def on_device(self, layer: nn.Module, *, is_backward: bool = False) -> Generator[None, None, None]:
        """A layer's weights on the device for the length of a `with` block; of one that is not streamed they are.

        `is_backward` says that the layer before comes next, not the one after.
        """
        position, direction = self._positions.get(id(layer)), -1 if is_backward else 1
        if position is None:
            yield
            return
        if position not in self._slot_contents:
            self._fetch(position, 0)  # not the next in order: the last pass was interrupted
        slot = self._slot_contents.index(position)
        self._fetch(self._following(position, direction), 1 - slot)
        self._copies.wait_filled(slot)
        try:
            with _data_in_slot(self._blocks[position], slot):
                yield
        finally:
            self._copies.release(slot)
            self._fetch(self._following(position, 2 * direction), slot)

    def _following(self, position: int, count: int) -> int:
        """The position `count` streamed layers later; after the last comes the first, of the next pass."""
        return (position + count) % len(self._blocks)

    def _fetch(self, position: int, slot: int) -> None:
        if position not in self._slot_contents:
            self._slot_contents[slot] = position
            self._copies.fill(slot, self._blocks[position].copies[slot])


@contextmanager
def stream_layers(
    streamed: Sequence[Streamed], device: torch.device, arena_limit: int | None, copy_stream: CopyStream
) -> Generator[LayerStream, None, None]:
    """Layers in the order in which they run, their tensors moved into an arena where it may be that large."""
    streaming, tensors = LayerStream(copy_stream), [each for _, each in streamed]
    with _arena(tensors, arena_limit, copy_stream) as memories:
        streaming.open([layer for layer, _ in streamed], _streamed_blocks(tensors, memories, device))
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
