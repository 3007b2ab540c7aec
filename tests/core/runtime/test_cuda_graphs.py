"""Recorded steps against the plain ones, bit for bit.

Where there is no graphics card a recording runs the step again on the buffers it was recorded with, as a graph does.
"""

import gc
import weakref

import pytest
import torch

import tiny
from recorder import Recorder
from zimage_core.adapters import Lora, injected
from zimage_core.adapters.deltas.low_rank import LowRank
from zimage_core.adapters.lora import Target
from zimage_core.model import Reference
from zimage_core.quant import INT8, quantize_layers
from zimage_core.runtime.cuda_graphs import MOST_GRAPHS, Graphs, capture_cuda, launch_bound

SIGMAS = (1.0, 0.7, 0.25)

pytestmark = pytest.mark.usefixtures("_no_gradients")


@pytest.fixture
def _no_gradients():
    with torch.inference_mode():
        yield


def drawn(generator, cells=(8, 8)):
    return torch.randn(1, 16, *cells, generator=generator)


def test_prompts_noise_levels_and_latents_change_under_one_graph(generator):
    dit, recorder = tiny.dit(), Recorder()
    graphs = Graphs(dit, recorder)
    for _ in range(3):
        condition = dit.prepare([torch.randn(9, 48, generator=generator)], (8, 8))
        plain, recorded = dit.flow(condition, SIGMAS), dit.flow(condition, SIGMAS, network=graphs)
        for sigma in (*SIGMAS, 0.4):
            x = drawn(generator)
            assert torch.equal(recorded(x, sigma), plain(x, sigma))
    assert (recorder.captures, recorder.replays) == (1, 12)


def test_two_prompts_in_turns_share_a_graph_and_never_mix(generator):
    dit, recorder = tiny.dit(), Recorder()
    graphs, x = Graphs(dit, recorder), drawn(generator)
    conditions = [dit.prepare([torch.randn(9, 48, generator=generator)], (8, 8)) for _ in range(2)]
    plain = [dit.flow(condition)(x, 0.5) for condition in conditions]
    recorded = [dit.flow(condition, network=graphs) for condition in conditions]
    for _ in range(2):
        results = [velocity(x, 0.5) for velocity in recorded]
        assert all(torch.equal(mine, theirs) for mine, theirs in zip(results, plain, strict=True))
    assert recorder.captures == 1


def test_an_answer_is_the_callers_to_keep(generator):
    dit = tiny.dit()
    velocity = dit.flow(dit.prepare([torch.ones(9, 48)], (8, 8)), network=Graphs(dit, Recorder()))
    first = velocity(drawn(generator), 0.5)
    kept = first.clone()
    velocity(drawn(generator), 0.2)
    assert torch.equal(first, kept)


def test_every_geometry_has_its_own_graph_and_when_there_are_too_many_all_go(generator):
    """One alone must not: what is left would work in memory that went with it."""
    dit, recorder = tiny.dit(), Recorder()
    graphs = Graphs(dit, recorder)

    def run(n_tokens, cells):
        condition, x = dit.prepare([torch.ones(n_tokens, 48)], cells), drawn(generator, cells)
        assert torch.equal(dit.flow(condition, network=graphs)(x, 0.5), dit.flow(condition)(x, 0.5))

    geometries = [(9, (8, 2 * columns)) for columns in range(1, MOST_GRAPHS + 1)]
    for geometry in (*geometries, *geometries):
        run(*geometry)
    assert recorder.captures == len(graphs.graphs) == MOST_GRAPHS
    run(40, (8, 8))
    assert len(graphs.graphs) == 1
    assert recorder.besides[-1] is None


def test_references_run_under_a_graph_too(generator):
    dit = tiny.omni()
    seen = [Reference(drawn(generator)[0], torch.randn(4, 4, 40, generator=generator))]
    chunks = [[torch.randn(n, 48, generator=generator) for n in (5, 7, 3)]]
    condition, x = dit.prepare_with_references(chunks, [seen], (8, 8)), drawn(generator)
    assert torch.equal(dit.flow(condition, network=Graphs(dit, Recorder()))(x, 0.5), dit.flow(condition)(x, 0.5))


@pytest.mark.parametrize("is_quantised", [False, True], ids=["merged", "beside int8"])
def test_a_lora_in_or_out_is_another_recording(generator, is_quantised):
    dit, recorder = tiny.dit(), Recorder()
    if is_quantised:
        quantize_layers(dit, INT8)
    up, down = torch.randn(64, 2, generator=generator), torch.randn(2, 64, generator=generator)
    deltas = {Target("layers.0.attention.out.weight"): LowRank(up=up, down=down)}
    condition, x = dit.prepare([torch.ones(9, 48)], (8, 8)), drawn(generator)
    recorded, plain = dit.flow(condition, network=Graphs(dit, recorder)), dit.flow(condition)
    before = recorded(x, 0.5)
    with injected(dit, (Lora(file="", family="", deltas=deltas), 1.0)):
        assert torch.equal(recorded(x, 0.5), plain(x, 0.5))
        assert not torch.equal(plain(x, 0.5), before)
    assert torch.equal(recorded(x, 0.5), before)
    assert recorder.captures == 3


def test_another_precision_is_another_recording(generator):
    dit, recorder = tiny.dit(), Recorder()
    condition, x = dit.prepare([torch.ones(9, 48)], (8, 8)), drawn(generator)
    recorded = dit.flow(condition, network=Graphs(dit, recorder))
    recorded(x, 0.5)
    quantize_layers(dit, INT8)
    assert torch.equal(recorded(x, 0.5), dit.flow(condition)(x, 0.5))
    assert recorder.captures == 2


def test_a_hosts_own_step_is_recorded_whole_with_what_else_it_depends_on(generator):
    """The rows of the noise level are made inside, from the noise level itself."""
    dit, recorder = tiny.dit(), Recorder()
    graphs = Graphs(dit, recorder)
    condition = dit.prepare([torch.ones(9, 48)], (8, 8))
    norms = dit.norm_weights(condition.caption)

    def step(x, sigma, condition, norms):
        return dit.flow(condition, norm_weights=norms)(x, sigma)

    for way in ("one", "another", "one"):
        for sigma in SIGMAS:
            inputs = (drawn(generator), torch.tensor([sigma])), (condition, norms)
            graphs.refresh()
            found = graphs.run(graphs.key(*inputs, way), step, *inputs)
            assert torch.equal(found, dit.flow(condition)(*inputs[0]))
    assert recorder.captures == 2


def test_lasting_inputs_are_copied_when_they_are_others_and_only_then(generator):
    """Seen through a condition changed in place, which nothing in this library does."""
    dit = tiny.dit()
    graphs, x = Graphs(dit, Recorder()), drawn(generator)
    condition = dit.prepare([torch.ones(9, 48)], (8, 8))
    recorded = dit.flow(condition, network=graphs)
    before = recorded(x, 0.5)
    condition.caption.mul_(2)
    assert torch.equal(recorded(x, 0.5), before)
    assert torch.equal(dit.flow(condition._replace(), network=graphs)(x, 0.5), dit.flow(condition)(x, 0.5))


def test_recordings_are_told_of_one_another_while_there_are_any(generator):
    dit, recorder = tiny.dit(), Recorder()
    graphs = Graphs(dit, recorder)
    for n_tokens in (9, 40):
        dit.flow(dit.prepare([torch.ones(n_tokens, 48)], (8, 8)), network=graphs)(drawn(generator), 0.5)
    graphs.drop()
    dit.flow(dit.prepare([torch.ones(9, 48)], (8, 8)), network=graphs)(drawn(generator), 0.5)
    assert [beside is not None for beside in recorder.besides] == [False, True, False]


def test_parameters_of_neighbours_belong_to_what_was_recorded():
    dit, neighbour = tiny.dit(), torch.nn.ParameterList([torch.ones(3)])
    graphs = Graphs(dit, Recorder(), beside=(neighbour,))
    standing = graphs.refresh()
    assert graphs.refresh() == standing
    neighbour[0] = torch.nn.Parameter(torch.ones(3))
    assert graphs.refresh() != standing


class Packed(torch.Tensor):
    """As quantised tensors are: an empty wrapper around two others."""

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
def test_both_parts_of_a_packed_weight_belong_to_what_was_recorded(part):
    dit = tiny.dit()
    packed = Packed(torch.ones(4, 4, dtype=torch.int8), torch.ones(4))
    dit.layers[0].attention.out._parameters["weight"] = packed
    graphs = Graphs(dit, Recorder())
    standing = graphs.refresh()
    assert graphs.refresh() == standing
    setattr(packed, part, getattr(packed, part).clone())
    assert graphs.refresh() != standing


def test_a_hook_in_python_is_seen(generator):
    dit = tiny.dit()
    graphs = Graphs(dit, Recorder())
    assert not graphs.refresh().is_watched
    handle = dit.layers[1].feed_forward.register_forward_hook(lambda *_: None)
    assert graphs.refresh().is_watched
    handle.remove()
    assert not graphs.refresh().is_watched


@pytest.mark.parametrize(("launching", "working", "is_worth"), [(9, 1, True), (1, 9, False)])
def test_a_step_is_worth_recording_where_launching_takes_the_time(monkeypatch, launching, working, is_worth):
    """With a clock that the launches and the device move on."""
    now = 0.0

    def wait():
        nonlocal now
        now += work_left.pop() if work_left else 0.0

    def run():
        nonlocal now
        now += launching
        work_left.append(working)
        return answer

    answer, work_left = torch.ones(1), []
    monkeypatch.setattr(torch.cuda, "synchronize", wait)
    monkeypatch.setattr("zimage_core.runtime.cuda_graphs.time.perf_counter", lambda: now)
    found, told = launch_bound(run)
    assert found is answer
    assert told is is_worth


def test_dropping_gives_the_buffers_back(generator):
    dit = tiny.dit()
    graphs = Graphs(dit, Recorder())
    dit.flow(dit.prepare([torch.ones(9, 48)], (8, 8)), network=graphs)(drawn(generator), 0.5)
    buffers = [weakref.ref(graph) for graph in graphs.graphs.values()]
    graphs.drop()
    gc.collect()
    assert [buffer() for buffer in buffers] == [None]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a graphics card")
def test_cudas_own_graphs_give_the_plain_steps_bits(generator):
    dit = tiny.dit().to("cuda", torch.bfloat16)
    condition = dit.prepare([torch.randn(9, 48, generator=generator).to("cuda", torch.bfloat16)], (8, 8))
    longer = dit.prepare([torch.randn(40, 48, generator=generator).to("cuda", torch.bfloat16)], (8, 8))
    graphs = Graphs(dit, capture_cuda)
    for each in (condition, longer, condition, longer):  # in one memory, in turns
        plain, recorded = dit.flow(each, SIGMAS), dit.flow(each, SIGMAS, network=graphs)
        for sigma in SIGMAS:
            x = drawn(generator).cuda()
            assert torch.equal(recorded(x, sigma), plain(x, sigma))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a graphics card")
def test_after_a_capture_that_fails_the_work_goes_on_where_it_was(generator):
    x = torch.ones(4, device="cuda")
    before = torch.cuda.current_stream()

    def waits():
        return x * float((x + 1).sum())  # reading a number waits for the card, which a capture cannot

    with pytest.raises(RuntimeError):
        capture_cuda(waits, None)
    assert torch.cuda.current_stream() == before
    assert torch.equal(waits(), 8 * x)
