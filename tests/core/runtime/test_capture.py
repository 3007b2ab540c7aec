"""What a capture begins is ended and released wherever it fails, and streams are used again; without a GPU.

A stand-in notes what PyTorch's calls begin, end and release. `tests/gpu/test_failed_captures.py` asks CUDA itself.
"""

import gc
import weakref

import pytest
import torch

import tiny
from fake_cuda import FakeCuda
from zimage_core.runtime.capture import CaptureStreams, OwnStreamCapture, is_switched_off
from zimage_core.runtime.cuda_graphs import CapturedNetwork, CapturedSteps


@pytest.fixture
def cuda(monkeypatch):
    return FakeCuda(monkeypatch)


class Body:
    """A run that makes tensors on the way, and fails where it is told to."""

    def __init__(self, cuda, where=None):
        self.cuda, self.where, self.made, self.runs = cuda, where, [], 0

    def __call__(self):
        self.runs += 1
        kept = torch.ones(4)
        self.made.append(weakref.ref(kept))
        weakref.finalize(kept, self.cuda.log, "freed while capturing" if self.cuda.is_capturing else "freed")
        return self.inner(kept)

    def inner(self, given):
        product = given * 2
        self.made.append(weakref.ref(product))
        if self.where == "warm-up" or (self.where == "body" and self.cuda.is_capturing):
            raise KeyError("in Python")
        if self.where == "interrupted" and self.cuda.is_capturing:
            raise KeyboardInterrupt
        if self.where == "waiting" and self.cuda.is_capturing:
            self.cuda.wait()
        if self.where == "chained" and self.cuda.is_capturing:
            try:
                self.cuda.wait()
            except RuntimeError as error:
                raise ValueError("in turn") from error
        self.cuda.is_broken |= self.where == "capture_end" and self.cuda.is_capturing
        self.cuda.fails_to_instantiate = self.where == "instantiation"
        return product


BROKEN = ["body", "interrupted", "waiting", "chained", "capture_end", "instantiation"]


def fail(body, pool_from=None):
    with pytest.raises((KeyError, KeyboardInterrupt, ValueError, RuntimeError)):
        OwnStreamCapture(CaptureStreams())(body, pool_from)


@pytest.mark.parametrize("where", ["warm-up", *BROKEN])
def test_wherever_a_capture_fails_all_that_began_ends_and_is_released(cuda, where):
    body, stream = Body(cuda, where), cuda.current
    fail(body)
    assert body.runs == (1 if where == "warm-up" else 4)
    assert not cuda.recording
    assert not +cuda.uses
    assert not cuda.generator.is_capturing
    assert cuda.current == stream
    assert not cuda.is_watching
    gc.collect()
    assert [each() for each in body.made] == [None] * len(body.made)


@pytest.mark.parametrize("where", ["body", "interrupted", "waiting", "chained"])
def test_tensors_of_a_failed_run_are_freed_before_its_capture_ends(cuda, where):
    """With `cudaMallocAsync` they belong to the graph, and cannot be freed outside of it."""
    fail(Body(cuda, where))
    words = [call[0] for call in cuda.calls]
    begun = words.index("begin")
    assert words[begun:] == ["begin", "freed while capturing", "end", "release"]


@pytest.mark.parametrize("where", BROKEN)
def test_after_a_failure_nothing_is_captured_and_that_is_said_once(cuda, where, caplog):
    fail(Body(cuda, where))
    before = list(cuda.calls)
    body = Body(cuda)
    with pytest.raises(RuntimeError, match="until the program is started again") as refused:
        OwnStreamCapture(CaptureStreams())(body, None)
    assert "\n" not in str(refused.value)
    assert cuda.calls == before
    assert body.runs == 0
    assert caplog.text.count("CUDA graphs stay off") == 1


def test_after_a_failed_warm_up_captures_go_on(cuda):
    fail(Body(cuda, "warm-up"))
    out, captured = OwnStreamCapture(CaptureStreams())(Body(cuda), None)
    captured.replay()
    assert torch.equal(out, torch.full((4,), 2.0))


def test_earlier_captures_in_the_same_pool_still_replay_and_are_released_with_their_graph(cuda):
    out, earlier = OwnStreamCapture(CaptureStreams())(Body(cuda), None)
    fail(Body(cuda, "waiting"), pool_from=earlier)
    assert cuda.uses == {earlier.pool: 1}
    earlier.replay()
    del earlier
    assert not +cuda.uses


def test_a_run_that_waits_for_the_gpu_is_refused_before_anything_is_captured(cuda):
    with pytest.raises(RuntimeError, match="waits for the GPU"):
        OwnStreamCapture(CaptureStreams())(lambda: cuda.wait() or torch.ones(1), None)
    assert not cuda.calls
    assert not is_switched_off()


def test_captures_of_one_owner_share_a_pool_until_they_are_dropped(cuda, generator):
    dit = tiny.dit()
    network = CapturedNetwork(dit, OwnStreamCapture(CaptureStreams()))
    with torch.inference_mode():
        for n_tokens in (9, 40):
            condition = dit.prepare([torch.ones(n_tokens, 48)], (8, 8))
            dit.flow(condition, network=network)(torch.randn(1, 16, 8, 8, generator=generator), 0.5)
    assert list(cuda.uses.values()) == [2]
    network.steps.drop()
    assert not +cuda.uses


def owner(streams):
    """Steps with one capture."""
    steps = CapturedSteps(OwnStreamCapture(streams))
    capture_into(steps)
    return steps


def capture_into(steps):
    steps.run("key", lambda x: 2 * x, (torch.ones(3),), ())


@pytest.fixture
def streams(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_of", lambda tensor: torch.device("cpu"))
    return CaptureStreams()


def test_every_owner_has_one_stream_which_the_next_owner_gets(cuda, streams):
    owners = [owner(streams) for _ in range(5)]
    assert len(set(cuda.streams)) == len(cuda.streams) == 5
    for each in owners:
        each.drop()
        capture_into(each)
    del owners[1:3], each
    gc.collect()
    owners += [owner(streams), owner(streams)]
    assert len(cuda.streams) == 5
    assert len({id(each.capture.streams[0]) for each in owners}) == 5
    owners.append(owner(streams))
    assert len(cuda.streams) == 6


def test_two_owners_never_share_a_stream_that_pytorch_gives_out_again(monkeypatch):
    cuda, streams = FakeCuda(monkeypatch, n_streams=4), CaptureStreams()
    monkeypatch.setattr(torch.cuda, "device_of", lambda tensor: torch.device("cpu"))
    first = owner(streams)
    for _ in range(3):
        torch.cuda.Stream()  # somebody else's: the next in turn is the first one's again
    second = owner(streams)
    assert cuda.current.index == -1
    assert first.capture.streams[0] != second.capture.streams[0]
