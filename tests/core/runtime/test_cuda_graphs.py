"""Captured steps against eager ones, bit for bit.

Where there is no GPU a fake fake runs the step again on the buffers it was captured with, as a graph does.
"""

import gc
import weakref

import pytest
import torch

import tiny
from fake_capture import FakeCapture
from zimage_core.adapters import Lora, injected
from zimage_core.adapters.deltas.low_rank import LowRank
from zimage_core.adapters.lora import Target
from zimage_core.model import Reference
from zimage_core.quant import INT8, quantize_layers
from zimage_core.runtime.cuda_graphs import MAX_CAPTURES, CapturedNetwork, CapturedSteps, launch_bound

SIGMAS = (1.0, 0.7, 0.25)

pytestmark = pytest.mark.usefixtures("_no_gradients")


@pytest.fixture
def _no_gradients():
    with torch.inference_mode():
        yield


def drawn(generator, cells=(8, 8)):
    return torch.randn(1, 16, *cells, generator=generator)


def test_prompts_noise_levels_and_latents_change_under_one_graph(generator):
    dit, fake = tiny.dit(), FakeCapture()
    network = CapturedNetwork(dit, fake)
    for _ in range(3):
        condition = dit.prepare([torch.randn(9, 48, generator=generator)], (8, 8))
        eager, captured = dit.flow(condition, SIGMAS), dit.flow(condition, SIGMAS, network=network)
        for sigma in (*SIGMAS, 0.4):
            x = drawn(generator)
            assert torch.equal(captured(x, sigma), eager(x, sigma))
    assert (fake.captures, fake.replays) == (1, 12)


def test_two_prompts_in_turns_share_a_graph_and_never_mix(generator):
    dit, fake = tiny.dit(), FakeCapture()
    network, x = CapturedNetwork(dit, fake), drawn(generator)
    conditions = [dit.prepare([torch.randn(9, 48, generator=generator)], (8, 8)) for _ in range(2)]
    eager = [dit.flow(condition)(x, 0.5) for condition in conditions]
    captured = [dit.flow(condition, network=network) for condition in conditions]
    for _ in range(2):
        results = [velocity(x, 0.5) for velocity in captured]
        assert all(torch.equal(mine, theirs) for mine, theirs in zip(results, eager, strict=True))
    assert fake.captures == 1


def test_an_output_is_not_overwritten_by_the_next_step(generator):
    dit = tiny.dit()
    velocity = dit.flow(dit.prepare([torch.ones(9, 48)], (8, 8)), network=CapturedNetwork(dit, FakeCapture()))
    first = velocity(drawn(generator), 0.5)
    before = first.clone()
    velocity(drawn(generator), 0.2)
    assert torch.equal(first, before)


def test_every_geometry_has_its_own_graph_and_when_there_are_too_many_all_are_dropped(generator):
    """One alone must not be freed: the others would use memory that was freed with it."""
    dit, fake = tiny.dit(), FakeCapture()
    network = CapturedNetwork(dit, fake)

    def run(n_tokens, cells):
        condition, x = dit.prepare([torch.ones(n_tokens, 48)], cells), drawn(generator, cells)
        assert torch.equal(dit.flow(condition, network=network)(x, 0.5), dit.flow(condition)(x, 0.5))

    geometries = [(9, (8, 2 * columns)) for columns in range(1, MAX_CAPTURES + 1)]
    for geometry in (*geometries, *geometries):
        run(*geometry)
    assert fake.captures == len(network.steps.captures) == MAX_CAPTURES
    run(40, (8, 8))
    assert len(network.steps.captures) == 1
    assert fake.pools_from[-1] is None


def test_references_run_under_a_graph_too(generator):
    dit = tiny.omni()
    seen = [Reference(drawn(generator)[0], torch.randn(4, 4, 40, generator=generator))]
    chunks = [[torch.randn(n, 48, generator=generator) for n in (5, 7, 3)]]
    condition, x = dit.prepare_with_references(chunks, [seen], (8, 8)), drawn(generator)
    captured = dit.flow(condition, network=CapturedNetwork(dit, FakeCapture()))
    assert torch.equal(captured(x, 0.5), dit.flow(condition)(x, 0.5))


@pytest.mark.parametrize("is_quantized", [False, True], ids=["merged", "unmerged on int8"])
def test_a_lora_in_or_out_is_captured_again(generator, is_quantized):
    dit, fake = tiny.dit(), FakeCapture()
    if is_quantized:
        quantize_layers(dit, INT8)
    up, down = torch.randn(64, 2, generator=generator), torch.randn(2, 64, generator=generator)
    deltas = {Target("layers.0.attention.out.weight"): LowRank(up=up, down=down)}
    condition, x = dit.prepare([torch.ones(9, 48)], (8, 8)), drawn(generator)
    captured, eager = dit.flow(condition, network=CapturedNetwork(dit, fake)), dit.flow(condition)
    before = captured(x, 0.5)
    with injected(dit, (Lora(file="", family="", deltas=deltas), 1.0)):
        assert torch.equal(captured(x, 0.5), eager(x, 0.5))
        assert not torch.equal(eager(x, 0.5), before)
    assert torch.equal(captured(x, 0.5), before)
    assert fake.captures == 3


def test_another_precision_is_captured_again(generator):
    dit, fake = tiny.dit(), FakeCapture()
    condition, x = dit.prepare([torch.ones(9, 48)], (8, 8)), drawn(generator)
    captured = dit.flow(condition, network=CapturedNetwork(dit, fake))
    captured(x, 0.5)
    quantize_layers(dit, INT8)
    assert torch.equal(captured(x, 0.5), dit.flow(condition)(x, 0.5))
    assert fake.captures == 2


def test_a_step_of_the_callers_own_is_captured_whole_for_each_variant(generator):
    """Modulation is computed inside the step, from the noise level."""
    dit, fake = tiny.dit(), FakeCapture()
    steps = CapturedSteps(fake)
    condition = dit.prepare([torch.ones(9, 48)], (8, 8))
    norms = dit.base_norm_weights(condition.caption)

    def step(x, sigma, condition, norms):
        return dit.flow(condition, base_norm_weights=norms)(x, sigma)

    for variant in ("one", "another", "one"):
        for sigma in SIGMAS:
            inputs = (drawn(generator), torch.tensor([sigma])), (condition, norms)
            steps.refresh(dit)
            out = steps.run(steps.key(*inputs, variant), step, *inputs)
            assert torch.equal(out, dit.flow(condition)(*inputs[0]))
    assert fake.captures == 2


def test_static_inputs_are_copied_only_where_they_are_other_objects(generator):
    """Seen through a condition changed in place, which nothing in this library does."""
    dit = tiny.dit()
    network, x = CapturedNetwork(dit, FakeCapture()), drawn(generator)
    condition = dit.prepare([torch.ones(9, 48)], (8, 8))
    captured = dit.flow(condition, network=network)
    before = captured(x, 0.5)
    condition.caption.mul_(2)
    assert torch.equal(captured(x, 0.5), before)
    assert torch.equal(dit.flow(condition._replace(), network=network)(x, 0.5), dit.flow(condition)(x, 0.5))


def test_captures_share_a_pool_until_they_are_dropped(generator):
    dit, fake = tiny.dit(), FakeCapture()
    network = CapturedNetwork(dit, fake)
    for n_tokens in (9, 40):
        dit.flow(dit.prepare([torch.ones(n_tokens, 48)], (8, 8)), network=network)(drawn(generator), 0.5)
    network.steps.drop()
    dit.flow(dit.prepare([torch.ones(9, 48)], (8, 8)), network=network)(drawn(generator), 0.5)
    assert [pool_from is not None for pool_from in fake.pools_from] == [False, True, False]


def test_parameters_of_extra_modules_are_in_the_fingerprint():
    dit, extra = tiny.dit(), torch.nn.ParameterList([torch.ones(3)])
    steps = CapturedSteps(FakeCapture())
    before = steps.refresh(dit, (extra,))
    assert steps.refresh(dit, (extra,)) == before
    extra[0] = torch.nn.Parameter(torch.ones(3))
    assert steps.refresh(dit, (extra,)) != before


@pytest.mark.parametrize("other", [{"network": tiny.dit()}, {"state": "another"}], ids=["network", "state"])
def test_captures_of_another_network_or_state_are_dropped(generator, other):
    dit, steps = tiny.dit(), CapturedSteps(FakeCapture())
    inputs = (drawn(generator),), ()
    steps.refresh(dit)
    steps.run("key", lambda x: 2 * x, *inputs)
    steps.device_bytes = 5
    steps.refresh(dit)
    assert (len(steps.captures), steps.device_bytes) == (1, 5)
    steps.refresh(**{"network": dit, **other})
    assert (len(steps.captures), steps.device_bytes) == (0, 0)


class Packed(torch.Tensor):
    """As quantized tensors are: an empty wrapper around two others."""

    @staticmethod
    def __new__(cls, numbers, scale):
        return torch.Tensor._make_wrapper_subclass(cls, numbers.shape, dtype=torch.float32)

    def __init__(self, numbers, scale):
        self.numbers, self.scale = numbers, scale

    def __tensor_flatten__(self):
        return ["numbers", "scale"], None

    @classmethod
    def __torch_dispatch__(cls, function, types, arguments=(), keywords=None):
        return arguments[0]


@pytest.mark.parametrize("part", ["numbers", "scale"])
def test_both_parts_of_a_packed_weight_are_in_the_fingerprint(part):
    dit = tiny.dit()
    packed = Packed(torch.ones(4, 4, dtype=torch.int8), torch.ones(4))
    dit.layers[0].attention.out._parameters["weight"] = packed
    steps = CapturedSteps(FakeCapture())
    before = steps.refresh(dit)
    assert steps.refresh(dit) == before
    setattr(packed, part, getattr(packed, part).clone())
    assert steps.refresh(dit) != before


def test_a_hook_in_python_is_noticed():
    dit = tiny.dit()
    steps = CapturedSteps(FakeCapture())
    assert not steps.refresh(dit).has_hooks
    handle = dit.layers[1].feed_forward.register_forward_hook(lambda *_: None)
    assert steps.refresh(dit).has_hooks
    handle.remove()
    assert not steps.refresh(dit).has_hooks


@pytest.mark.parametrize(("launching", "working", "is_bound"), [(9, 1, True), (1, 9, False)])
def test_a_step_is_launch_bound_where_launching_takes_the_time(monkeypatch, launching, working, is_bound):
    """With a clock that the launches and the device move on."""
    now = 0.0

    def wait():
        nonlocal now
        now += work_left.pop() if work_left else 0.0

    def run():
        nonlocal now
        now += launching
        work_left.append(working)
        return out

    out, work_left = torch.ones(1), []
    monkeypatch.setattr(torch.cuda, "synchronize", wait)
    monkeypatch.setattr("zimage_core.runtime.cuda_graphs.time.perf_counter", lambda: now)
    result, is_found_bound = launch_bound(run)
    assert result is out
    assert is_found_bound is is_bound


@pytest.mark.slow
def test_dropping_frees_the_buffers(generator):
    dit = tiny.dit()
    network = CapturedNetwork(dit, FakeCapture())
    dit.flow(dit.prepare([torch.ones(9, 48)], (8, 8)), network=network)(drawn(generator), 0.5)
    buffers = [weakref.ref(each) for each in network.steps.captures.values()]
    network.steps.drop()
    gc.collect()
    assert [buffer() for buffer in buffers] == [None]
