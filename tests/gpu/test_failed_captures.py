"""After a capture that fails memory is freed, random numbers are drawn and captures work; streams are used again.

With the native allocator and, in a process of its own, with `cudaMallocAsync`. What could end the process stands last.
"""

import gc

import pytest
import torch

import gpu
from gpu import randn
from zimage_core.runtime import capture
from zimage_core.runtime.capture import STREAMS, OwnStreamCapture, is_switched_off
from zimage_core.runtime.cuda_graphs import CapturedSteps

MEGABYTE = 2**20


@pytest.fixture(autouse=True)
def _switched_on(monkeypatch):
    monkeypatch.setattr(capture, "FAILED", [])


class Body:
    """A run that fails where it is captured, with tensors of 64 MB on the way."""

    def __init__(self, fail):
        self.fail = fail
        self.x = randn(16 * MEGABYTE, dtype=torch.float32)

    def __call__(self):
        doubled = self.x * 2
        if torch.cuda.is_current_stream_capturing():
            self.fail(doubled)
        return doubled + 1


def in_python(tensor):
    raise KeyError("a mistake in Python")


def interrupted(tensor):
    raise KeyboardInterrupt


def waiting(tensor):
    tensor.sum().item()


def test_a_run_that_waits_is_refused_before_its_capture():
    x = randn(1000)
    with pytest.raises(RuntimeError, match="waits for the GPU"):
        OwnStreamCapture()(lambda: x * x.sum().item(), None)
    assert not is_switched_off()


def test_owners_that_come_and_go_take_no_new_stream():
    """Each stream has a cuBLAS workspace for ever."""
    weight = randn(512, 512)

    def own():
        steps = CapturedSteps()
        steps.run("key", lambda x: x @ weight, (randn(512, 512),), ())
        return steps

    own()
    gc.collect()
    known, before = len(STREAMS.known), gpu.allocated_bytes()
    for _ in range(5):
        own()
        gc.collect()
    assert len(STREAMS.known) == known
    assert gpu.allocated_bytes() <= before
    owners = [own() for _ in range(3)]
    assert len({each.capture.streams[torch.cuda.current_device()] for each in owners}) == 3


@pytest.mark.parametrize("fail", [in_python, interrupted, waiting], ids=lambda fail: fail.__name__)
def test_a_failed_capture_leaves_memory_random_numbers_and_later_captures_as_they_were(monkeypatch, fail):
    torch.cuda.manual_seed(1)
    expected = torch.randn(8, device=gpu.DEVICE)
    torch.cuda.manual_seed(1)
    before, earlier = gpu.allocated_bytes(), torch.zeros(1024 * MEGABYTE, dtype=torch.int8, device=gpu.DEVICE)
    body, stream = Body(fail), torch.cuda.current_stream()
    try:
        OwnStreamCapture()(body, None)
    except (KeyError, KeyboardInterrupt, RuntimeError) as error:
        assert not isinstance(error, torch.OutOfMemoryError)
    assert is_switched_off()
    assert torch.cuda.current_stream() == stream
    del earlier, body.x
    assert gpu.allocated_bytes() <= before + gpu.WORKSPACES
    assert torch.equal(torch.randn(8, device=gpu.DEVICE), expected)
    with pytest.raises(RuntimeError, match="until the program is started again"):
        OwnStreamCapture()(body, None)
    monkeypatch.setattr(capture, "FAILED", [])  # as if it were another process
    x = randn(1000)
    out, captured = OwnStreamCapture()(lambda: x * 3, None)
    x.add_(1)
    captured.replay()
    assert torch.equal(out, x * 3)
