"""When streamed blocks are copied and computed, on a simulated clock."""

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
import torch

from streamed_network import inputs, network, prepared
from zimage_core.runtime.offload.copy_streams import SynchronousCopies
from zimage_core.runtime.offload.partition import spread_evenly
from zimage_core.runtime.offload.streaming import stream


@dataclass
class Clock(SynchronousCopies):
    """Notes what happens in which order, and when it would on a device: one engine copies, another computes."""

    block: float = 1.0
    copy: float = 1.0
    events: list = field(default_factory=list)
    copied: float = 0.0  # when the engine that copies has nothing more to do
    computed: float = 0.0
    filled: list = field(default_factory=lambda: [0.0, 0.0])
    freed: list = field(default_factory=lambda: [0.0, 0.0])
    steps: list = field(default_factory=list)

    def fill(self, slot, copies):
        super().fill(slot, copies)
        self.copied = self.filled[slot] = max(self.copied, self.freed[slot]) + self.copy
        self.events.append(("copy", slot))

    def wait_filled(self, slot):
        self.computed = max(self.computed, self.filled[slot])
        self.events.append(("wait_filled", slot))

    def release(self, slot):
        self.freed[slot] = self.computed
        self.events.append(("release", slot))

    def inner(self, stage, index, block, x):
        if stage.name == "layers":
            self.computed += self.block
            self.events.append(("run", index))
        return x  # order is all that matters here


@torch.inference_mode()
def trace(clock, n_layers, resident, steps):
    dit = network(n_layers)
    latent, _ = inputs()
    with stream(dit, "cpu", resident=resident, copy_stream=clock, base_run_block=clock.inner) as blocks:
        velocity = prepared(dit, blocks)
        clock.events.clear()
        for _ in range(steps):
            velocity(latent, 0.6)
            clock.steps.append(clock.computed)
    return clock


@pytest.mark.parametrize("n_layers, resident", [(7, 0), (7, 1), (7, 4), (6, 0), (6, 2)])
def test_every_copy_is_under_way_before_the_block_ahead_of_its_own_runs(n_layers, resident):
    """The same for the first streamed block of a step, which is copied during the last of the step before."""
    clock = trace(Clock(), n_layers, resident, steps=3)
    streamed = spread_evenly(n_layers, n_layers - resident)
    copies = [place for place, event in enumerate(clock.events) if event[0] == "copy"]
    runs = [place for place, event in enumerate(clock.events) if event[0] == "run" and event[1] in streamed]
    assert len(copies) == len(runs) == 3 * len(streamed)  # each step copies each streamed block once
    # two blocks lay in the slots before the first step; copy j is for run j + 2 and lies before run j + 1
    for copy, (before, after) in zip(copies, pairwise(runs), strict=False):
        assert before < copy < after


@torch.inference_mode()
def test_copies_are_ahead_again_from_the_second_block_after_a_step_was_broken_off():
    dit, clock, is_broken = network(), Clock(), True
    latent, _ = inputs()

    def inner(stage, index, block, x):
        if is_broken and (stage.name, index) == ("layers", 3):
            raise InterruptedError
        return clock.inner(stage, index, block, x)

    with stream(dit, "cpu", resident=1, copy_stream=clock, base_run_block=inner) as blocks:
        velocity = prepared(dit, blocks)
        with pytest.raises(InterruptedError):
            velocity(latent, 0.6)
        is_broken = False
        clock.events.clear()
        velocity(latent, 0.6)
    kinds = [kind for kind, _ in clock.events if kind in ("copy", "run")]
    assert kinds == ["copy", "copy", *["run", "copy"] * 5, "run", "run", "copy"]  # layer 5 is resident


@pytest.mark.parametrize("n_layers, resident", [(7, 0), (7, 1), (6, 0), (6, 2)])
def test_a_slot_is_filled_only_while_no_block_computes_in_it(n_layers, resident):
    busy = set()
    for kind, slot in trace(Clock(), n_layers, resident, steps=3).events:
        if kind == "wait_filled":
            busy.add(slot)
        elif kind == "release":
            busy.discard(slot)
        elif kind == "copy":
            assert slot not in busy


@pytest.mark.parametrize("resident", [5, 6])
def test_what_fits_the_slots_is_copied_once_and_never_again(resident):
    assert not [event for event in trace(Clock(), 7, resident, steps=3).events if event[0] == "copy"]


@pytest.mark.parametrize("n_streamed", [2, 4, 6])
def test_with_an_even_number_streamed_every_block_has_one_address(n_streamed):
    clock = trace(Clock(), 7, 7 - n_streamed, steps=4)
    slots = {}
    for (kind, slot), (_, index) in pairwise(clock.events):
        if kind == "wait_filled":
            slots.setdefault(index, set()).add(slot)
    assert len(slots) == n_streamed and all(len(found) == 1 for found in slots.values())


def step_seconds(copy, total, streamed):
    """One pass through `total` blocks of a second, `streamed` of them spread among the others, but for one block.

    The longer of computing and copying hides the other, except that two slots cannot bridge every gap when a copy takes
    longer than a block: around each resident block the copies lose what three blocks take longer than two copies.
    """
    transfer = streamed * copy
    waits = (total - streamed) * (3 - 2 * copy) if copy > 1 else 0.0
    return max(float(total), transfer, transfer + waits)


@pytest.mark.slow
@pytest.mark.parametrize("copy", [0.2, 0.9, 1.0, 1.25, 1.5, 2.0, 4.0])
@pytest.mark.parametrize("resident", [0, 3, 6, 9])
def test_a_step_lasts_what_the_formula_says_but_for_one_block(resident, copy):
    """The clock plays what really happened; the formula never saw it."""
    clock = trace(Clock(copy=copy), 12, resident, steps=24)
    lasted = (clock.steps[-1] - clock.steps[11]) / 12
    predicted = step_seconds(copy, 12, 12 - resident)
    assert predicted <= lasted + 1e-9 <= predicted + 1
