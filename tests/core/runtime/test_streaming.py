"""Streaming changes where weights are, never what comes out; its order of copies is held against a clock of its own."""

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import tiny
from memory import LiveBytesMode
from zimage_core.model import S3DiT
from zimage_core.model.condition import run_block
from zimage_core.runtime.offload import device_scope
from zimage_core.runtime.offload.copy_streams import SynchronousCopies
from zimage_core.runtime.offload.partition import partition, spread_evenly
from zimage_core.runtime.offload.streaming import stream

CONFIG = replace(tiny.DIT, n_layers=7, n_refiner_layers=1, time_hidden_dim=64)
SIGMAS = (1.0, 0.6, 0.3)
SIZE = (8, 12)


def network(n_layers=7):
    return tiny.fill(S3DiT(replace(CONFIG, n_layers=n_layers)))


def inputs():
    generator = torch.Generator().manual_seed(3)
    return torch.randn(1, 16, *SIZE, generator=generator), torch.randn(17, 48, generator=generator)


def prepared(dit, blocks=None):
    """A run's velocity field, as the module's docstring prescribes."""
    _, caption = inputs()
    run = blocks.run if blocks else run_block
    condition = dit.prepare([caption], SIZE, run=run)
    return dit.flow(condition, SIGMAS, run=run)


@torch.inference_mode()
def velocities(dit, **options):
    latent, _ = inputs()
    if not options:
        return [prepared(dit)(latent, sigma) for sigma in SIGMAS]
    with stream(dit, "cpu", **options) as blocks:
        with blocks.preparing():
            velocity = prepared(dit, blocks)
        return [velocity(latent, sigma) for sigma in SIGMAS]


@pytest.mark.parametrize("is_used_so", [True, False], ids=["used in inference mode", "used outside of it"])
@pytest.mark.parametrize("is_made_so", [True, False], ids=["made in inference mode", "made outside of it"])
@pytest.mark.parametrize("arena_limit", [None, 0], ids=["arena", "no arena"])
def test_a_model_streams_whatever_mode_it_was_made_in(arena_limit, is_made_so, is_used_so):
    expected = velocities(network())
    with torch.inference_mode(is_made_so):
        dit = network()

    def run(**options):
        with torch.inference_mode(is_used_so), torch.no_grad():
            return velocities.__wrapped__(dit, **options)

    for found in (run(resident=2, arena_limit=arena_limit), run()):
        assert all(torch.equal(each, truth) for each, truth in zip(found, expected, strict=True))


def state_of(dit):
    """Everything an owner of the model could notice: objects, values, devices."""
    tensors = [*dit.named_parameters(), *dit.named_buffers()]
    return {name: (tensor, tensor.detach().clone(), tensor.device) for name, tensor in tensors}


def check_untouched(dit, before):
    after = state_of(dit)
    assert after.keys() == before.keys()
    for name, (tensor, value, device) in after.items():
        was, old, place = before[name]
        assert tensor is was and torch.equal(value, old) and device == place, name


@pytest.mark.parametrize("limit", [None, 0], ids=["arena", "own memory"])
@pytest.mark.parametrize("resident", [0, 1, 4, 5, 6, 7])
def test_streamed_is_bit_equal_to_whole(resident, limit):
    dit = network()
    before, plain = state_of(dit), velocities(dit)
    for found, expected in zip(velocities(dit, resident=resident, arena_limit=limit), plain, strict=True):
        assert torch.equal(found, expected)
    check_untouched(dit, before)
    for found, expected in zip(velocities(dit), plain, strict=True):
        assert torch.equal(found, expected)


def test_a_block_that_fails_leaves_the_model_whole_and_the_stream_usable():
    dit = network()
    before, plain = state_of(dit), velocities(dit)
    latent, _ = inputs()
    seen = []

    def fail_once(stage, index, block, x):
        seen.append((stage.name, index))
        if seen.count(("layers", 3)) == 1 and seen[-1] == ("layers", 3):
            raise InterruptedError
        return run_block(stage, index, block, x)

    with torch.inference_mode(), stream(dit, "cpu", resident=1, inner=fail_once) as blocks:
        with blocks.preparing():
            velocity = prepared(dit, blocks)
        with pytest.raises(InterruptedError):
            velocity(latent, SIGMAS[0])
        check_untouched(dit, before)
        for sigma, expected in zip(SIGMAS, plain, strict=True):
            assert torch.equal(velocity(latent, sigma), expected)
    with pytest.raises(InterruptedError), stream(dit, "cpu", resident=1):
        raise InterruptedError
    check_untouched(dit, before)


def test_after_the_end_the_stream_runs_blocks_as_they_are():
    dit = network()
    latent, _ = inputs()
    with torch.inference_mode():
        with stream(dit, "cpu", resident=2) as blocks:
            velocity = prepared(dit, blocks)
            inside = velocity(latent, 0.6)
        assert torch.equal(velocity(latent, 0.6), inside)


class Packed(nn.Module):
    """A quantised layer in small: 8-bit rows as a parameter, a scale as a buffer and a matrix stored by columns."""

    def __init__(self, linear):
        super().__init__()
        scale = linear.weight.abs().amax(dim=1, keepdim=True) / 127
        packed = (linear.weight / scale).round().to(torch.int8).t().contiguous().t()
        self.weight = nn.Parameter(packed, requires_grad=False)
        self.register_buffer("scale", scale)
        self.register_buffer("offset", torch.tensor(0.0))

    def forward(self, x):
        assert self.weight.stride(0) == 1  # as it was stored
        return nn.functional.linear(x, self.weight.float() * self.scale) + self.offset


def test_buffers_and_8_bit_weights_are_streamed_as_they_are():
    dit = network()
    for block in dit.layers:
        block.feed_forward.w1 = Packed(block.feed_forward.w1)
    before, plain = state_of(dit), velocities(dit)
    for found, expected in zip(velocities(dit, resident=2), plain, strict=True):
        assert torch.equal(found, expected)
    check_untouched(dit, before)


def test_a_weight_of_another_class_is_refused_in_a_sentence():
    class Hidden(nn.Parameter):
        pass

    dit = network()
    layer = dit.layers[3].feed_forward.w2
    layer.weight = Hidden(layer.weight.data, requires_grad=False)
    with pytest.raises(ValueError, match="Hidden cannot be streamed"), stream(dit, "cpu", resident=0):
        pass
    with pytest.raises(ValueError, match="choose 0 to 7"), stream(dit, "cpu", resident=8):
        pass


def layer_bytes(dit):
    linears = ("attention.qkv", "attention.out", "feed_forward.w1", "feed_forward.w2", "feed_forward.w3")
    return sum(dit.layers[0].get_submodule(name).weight.nbytes for name in linears)


@contextmanager
def counting(dit):
    """Bytes alive, the model's own counted from the start, as copies also return what they were given."""
    with torch.inference_mode(), LiveBytesMode() as counter:
        for parameter in dit.parameters():
            parameter.data  # noqa: B018 (an operation, which the counter sees)
        yield counter


def test_slots_are_two_blocks_and_an_arena_takes_the_place_of_the_blocks_in_it():
    dit = network()
    with counting(dit) as counter:
        start = counter.now
        with stream(dit, "cpu", resident=2):
            # five blocks moved, so only the slots are new; what alignment adds is less than 256 bytes a tensor
            assert 0 <= counter.now - start - 2 * layer_bytes(dit) <= (5 + 2) * 5 * 256
            assert counter.peak - start <= (5 + 2) * layer_bytes(dit) + (5 + 2) * 5 * 256
        assert 0 <= counter.now - start <= 5 * 5 * 256


def test_without_an_arena_only_the_slots_are_new():
    dit = network()
    with counting(dit) as counter:
        start = counter.now
        with stream(dit, "cpu", resident=2, arena_limit=1):
            assert 0 <= counter.peak - start - 2 * layer_bytes(dit) <= 2 * 5 * 256
        assert counter.now == start


def step_peaks(counter, velocity):
    """Bytes that steps add at their peak; what is made once, or was handed in, is counted before."""
    latent, _ = inputs()
    velocity(latent, 0.6)
    for _ in range(4):
        before = counter.peak = counter.now
        velocity(latent, 0.6)
        yield counter.peak - before
        assert counter.now == before


def test_steps_allocate_nothing_of_their_own():
    dit = network()
    with counting(dit) as counter:
        whole = list(step_peaks(counter, prepared(dit)))
    with counting(dit) as counter, stream(dit, "cpu", resident=2) as blocks:
        assert list(step_peaks(counter, prepared(dit, blocks))) == whole


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
    with stream(dit, "cpu", resident=resident, copy_stream=clock, inner=clock.inner) as blocks:
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

    with stream(dit, "cpu", resident=1, copy_stream=clock, inner=inner) as blocks:
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


@pytest.mark.parametrize("copy", [0.2, 0.9, 1.0, 1.25, 1.5, 2.0, 4.0])
@pytest.mark.parametrize("resident", [0, 3, 6, 9])
def test_a_step_lasts_what_the_formula_says_but_for_one_block(resident, copy):
    """The clock plays what really happened; the formula never saw it."""
    clock = trace(Clock(copy=copy), 12, resident, steps=24)
    lasted = (clock.steps[-1] - clock.steps[11]) / 12
    predicted = step_seconds(copy, 12, 12 - resident)
    assert predicted <= lasted + 1e-9 <= predicted + 1


class Distance(TorchDispatchMode):
    """Makes the processor two devices: no operation but a copy may touch the host's memory."""

    def __init__(self, dit):
        super().__init__()
        self.host = {tensor.untyped_storage().data_ptr() for tensor in dit.parameters()}
        self.is_far = True

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        carriers = ("copy_", "clone", "detach", "view", "alias", "as_strided", "slice", "split", "empty", "set_data")
        if self.is_far and not any(word in func.__name__ for word in carriers):
            for tensor in tree_leaves((args, kwargs)):
                if isinstance(tensor, torch.Tensor) and tensor.untyped_storage().data_ptr() in self.host:
                    raise AssertionError(f"{func} was given a tensor that is on the host")
        return func(*args, **(kwargs or {}))


@pytest.fixture
def far(monkeypatch):
    """A device as far away as a copy."""
    monkeypatch.setattr(device_scope, "to_device", lambda tensor, device: tensor.clone())


@pytest.mark.parametrize("limit", [None, 0], ids=["arena", "own memory"])
@pytest.mark.parametrize("resident", [0, 3, 7])
@torch.inference_mode()
def test_nothing_computes_with_weights_that_are_on_the_host(far, resident, limit):
    dit = network()
    before, plain = state_of(dit), velocities(dit)
    latent, _ = inputs()
    with stream(dit, "cpu", resident=resident, arena_limit=limit) as blocks:
        passing = {id(tensor) for each in partition(dit, resident).streamed.values() for tensor in each}
        guard = Distance(dit)
        guard.host -= {each.untyped_storage().data_ptr() for each in dit.parameters() if id(each) not in passing}
        guard.host |= {each.untyped_storage().data_ptr() for each in partition(dit, resident).preparation}
        with guard:
            with blocks.preparing():
                velocity = prepared(dit, blocks)
            for sigma, expected in zip(SIGMAS, plain, strict=True):
                assert torch.equal(velocity(latent, sigma), expected)
            with pytest.raises(AssertionError, match="on the host"):
                velocity(latent, 0.123)  # a level without a table needs what has left
    check_untouched(dit, before)


def test_module_placed_gives_every_tensor_its_own_memory_back(far):
    dit = network()
    before = state_of(dit)
    addresses = [parameter.data_ptr() for parameter in dit.parameters()]
    with pytest.raises(InterruptedError), device_scope.module_on_device(dit, "cpu"):
        assert not {parameter.data_ptr() for parameter in dit.parameters()} & set(addresses)
        raise InterruptedError
    check_untouched(dit, before)
    assert [parameter.data_ptr() for parameter in dit.parameters()] == addresses


def test_parts_are_the_whole_model_once():
    dit = network()
    parts = partition(dit, 3)
    together = [*parts.resident, *parts.preparation, *(tensor for each in parts.streamed.values() for tensor in each)]
    assert sorted(map(id, together)) == sorted(map(id, dit.parameters()))
    assert {id(tensor) for tensor in parts.preparation} >= {id(tensor) for tensor in dit.context_refiner.parameters()}
