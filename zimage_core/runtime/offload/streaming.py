"""A transformer larger than its device: some blocks stay there, the rest pass through two slots.

    with stream(dit, device, resident=18) as blocks:
        with blocks.preparing():
            condition = dit.prepare(captions, cells, run=blocks.run)
            velocity = dit.flow(condition, sigmas, run=blocks.run)
        ...  # sample with `velocity`

While one block computes the next one is copied, and the first of the next step during the last of this one. Streamed
blocks are spread evenly among the resident ones: bunched at the end, their copies could not run while resident blocks
compute (`timing.py`). What a run knows before its first step (captions, tables of time) needs about 1 GB of weights,
which are on the device only inside `preparing`. Afterwards every tensor is the object it was, on the host, bit for bit.

Between blocks the model always looks whole, on the host: a block's tensors point into a slot only while it computes.
"""

import logging
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from ...model import Block, RunBlock, S3DiT, Stage
from ...model.condition import run_block
from .arena import Layout, layout_of, move_in
from .copy_streams import SLOTS, Copy, Lane, lane_for
from .overlap import spread
from .placing import placed, tensors_of

LOGGER = logging.getLogger("zimage")
LEAVING = ("cap_embedder.", "context_refiner.", "siglip_embedder.", "siglip_refiner.", "t_embedder.")


class Parts(NamedTuple):
    """A transformer's tensors by where they have to be when."""

    staying: list[Tensor]  # on the device for as long as it streams
    leaving: list[Tensor]  # there only while a run is prepared: the caption stream and what makes tables of time
    passing: dict[int, list[Tensor]]  # by layer: on the device only while their block computes


def divide(dit: S3DiT, resident: int) -> Parts:
    """Which tensors stay, leave and pass with `resident` layers whole. Norms stay: tables are made from them."""
    n_layers = len(dit.layers)
    if not 0 <= resident <= n_layers:
        raise ValueError(f"{resident} resident blocks were asked for; the model has {n_layers}, choose 0 to {n_layers}")
    parts = Parts([], [], {layer: [] for layer in spread(n_layers, n_layers - resident)})
    for name, tensor in tensors_of(dit):
        kind, index = name.split(".")[:2] if name.startswith("layers.") else (name, "-1")
        if name.startswith(LEAVING) or "adaLN_modulation." in name:
            parts.leaving.append(tensor)
        elif kind == "layers" and int(index) in parts.passing and "norm" not in name:
            parts.passing[int(index)].append(tensor)
        else:
            parts.staying.append(tensor)
    return parts


class Passage(NamedTuple):
    """A streamed block's tensors: what they are on the host, what in each slot, and how they get there."""

    tensors: Sequence[Tensor]
    homes: Sequence[Tensor]
    views: Sequence[Sequence[Tensor]]
    copies: Sequence[Sequence[Copy]]


class BlockStream:
    """Runs blocks whose weights are on their way."""

    def __init__(self, parts: Parts, device: torch.device, lane: Lane, inner: RunBlock) -> None:
        self._leaving, self._device, self._lane, self._inner = parts.leaving, device, lane, inner
        self._order: dict[int, int] = {}  # a block's place among the streamed ones
        self._passages: list[Passage] = []
        self._held = [-1] * SLOTS  # the place each slot holds

    def open(self, blocks: Sequence[Block], passages: Sequence[Passage]) -> None:
        """Begin with the first blocks on their way."""
        self._order = {id(block): place for place, block in enumerate(blocks)}
        self._passages = list(passages)
        for slot in range(min(SLOTS, len(passages))):
            self._lane.end(slot)
            self._fetch(slot, slot)

    def close(self) -> None:
        """Let go of the slots; `run` is the inner one from here on."""
        self._lane.finish()
        self._order.clear()
        self._passages.clear()

    def preparing(self) -> AbstractContextManager[None]:
        """Caption stream and tables of time on the device for the length of a `with` block.

        Stay inside while sampling only if the sampler asks for noise levels that `flow` was not told.
        """
        return placed(self._leaving, self._device)

    def run(self, stage: Stage, index: int, block: Block, x: Tensor) -> Tensor:
        """A `RunBlock`: the block as the inner one runs it, its weights fetched in time."""
        place = self._order.get(id(block))
        if place is None:
            return self._inner(stage, index, block, x)
        if place not in self._held:
            self._fetch(place, 0)  # out of turn: the last step was broken off
        slot = self._held.index(place)
        self._fetch(self._after(place, 1), 1 - slot)
        self._lane.begin(slot)
        try:
            with _pointed(self._passages[place], slot):
                return self._inner(stage, index, block, x)
        finally:
            self._lane.end(slot)
            self._fetch(self._after(place, 2), slot)

    def _after(self, place: int, steps: int) -> int:
        """Which block follows; the next step follows the last."""
        return (place + steps) % len(self._passages)

    def _fetch(self, place: int, slot: int) -> None:
        if place not in self._held:
            self._held[slot] = place
            self._lane.fill(slot, self._passages[place].copies[slot])


@contextmanager
def stream(
    dit: S3DiT,
    device: torch.device | str,
    *,
    resident: int,
    inner: RunBlock = run_block,
    arena_limit: int | None = None,
    lane: Lane | None = None,
) -> Generator[BlockStream, None, None]:
    """A transformer on the host, run on a device with `resident` of its layers kept there.

    Streamed layers move into one arena of host memory, locked where the system allows it, and live there from then on.
    If they need more than `arena_limit` bytes they are copied from where they are, which is slower.
    """
    device = torch.device(device)
    parts = divide(dit, resident)
    passing = list(parts.passing.values())
    lane = lane or lane_for(device)
    streaming = BlockStream(parts, device, lane, inner)
    with placed(parts.staying, device), _sources(passing, arena_limit, lane) as sources:
        streaming.open(
            [block for layer, block in enumerate(dit.layers) if layer in parts.passing],
            _passages(passing, sources, device),
        )
        try:
            yield streaming
        finally:
            streaming.close()


@contextmanager
def _sources(
    blocks: Sequence[Sequence[Tensor]], limit: int | None, lane: Lane
) -> Generator[Sequence[Tensor | None], None, None]:
    """Each block's memory in an arena, or None where it is to be copied from its tensors' own."""
    layouts = [layout_of(tensors) for tensors in blocks]
    needed = sum(layout.nbytes for layout in layouts)
    if limit is not None and needed > limit:
        LOGGER.warning("Blocks to stream need %s, %s are allowed: no arena, copies are slower", _gb(needed), _gb(limit))
        yield [None] * len(blocks)
        return
    if not needed:
        yield []
        return
    arena, memories = move_in(blocks, layouts)
    is_locked = lane.pin(arena)
    if not is_locked:
        LOGGER.warning("The system would not lock %s of memory: blocks are copied from pageable memory", _gb(needed))
    try:
        yield memories
    finally:
        if is_locked:
            lane.unpin(arena)


def _passages(
    blocks: Sequence[Sequence[Tensor]], sources: Sequence[Tensor | None], device: torch.device
) -> list[Passage]:
    """Two slots that hold the largest block, and every block's views of them, made once: addresses never change."""
    layouts = [layout_of(tensors) for tensors in blocks]
    size = max((layout.nbytes for layout in layouts), default=0)
    with torch.inference_mode(False):  # or nothing outside of that mode could be copied in
        slots = [torch.empty(size, dtype=torch.uint8, device=device) for _ in range(SLOTS)]
        return [_passage(*each, slots) for each in zip(blocks, layouts, sources, strict=True)]


def _passage(tensors: Sequence[Tensor], layout: Layout, source: Tensor | None, slots: Sequence[Tensor]) -> Passage:
    """One block's; from an arena it comes in one piece."""
    homes = [tensor.data for tensor in tensors]
    views = [layout.views(slot) for slot in slots]
    if source is None:
        copies = [[Copy(view, home) for view, home in zip(each, homes, strict=True)] for each in views]
    else:
        copies = [[Copy(slot[: layout.nbytes], source)] for slot in slots]
    return Passage(tensors, homes, views, copies)


@contextmanager
def _pointed(passage: Passage, slot: int) -> Generator[None, None, None]:
    """A block's tensors in a slot for the length of a `with` block."""
    for tensor, view in zip(passage.tensors, passage.views[slot], strict=True):
        tensor.data = view
    try:
        yield
    finally:
        for tensor, home in zip(passage.tensors, passage.homes, strict=True):
            tensor.data = home


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
