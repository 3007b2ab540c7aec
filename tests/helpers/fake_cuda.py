"""PyTorch's CUDA graphs without a GPU: what begins, ends and is released, as PyTorch 2.11 does it, failures included.

`capture_end` of a capture that a CUDA error broke raises before the allocation to its pool ends, and a graph releases
its pool only if its capture ended.
"""

import contextlib
import warnings
from collections import Counter
from itertools import count

import torch

from zimage_core.runtime import capture


class FakeStream:
    __class__ = torch.cuda.Stream  # for isinstance

    def __init__(self, index):
        self.index = index

    def __eq__(self, other):
        return self.index == other.index

    def __hash__(self):
        return hash(self.index)

    def wait_stream(self, other):
        pass


class FakeGenerator:
    def __init__(self):
        self.is_capturing = False

    def clone_state(self):
        return FakeGenerator()

    def graphsafe_set_state(self, other):
        self.is_capturing = other.is_capturing


class FakeGraph:
    __class__ = torch.cuda.CUDAGraph  # for isinstance

    def __init__(self, cuda):
        self.cuda, self.has_ended, self.handle = cuda, False, None

    def capture_begin(self, pool=None, capture_error_mode="global"):
        self.handle = pool or self.cuda.new_pool()
        assert self.handle not in self.cuda.recording
        self.cuda.log("begin", self.handle)
        self.cuda.recording.append(self.handle)
        self.cuda.uses[self.handle] += 1
        self.cuda.is_capturing = self.cuda.generator.is_capturing = True

    def capture_end(self):
        if not self.cuda.is_capturing:
            raise RuntimeError("CUDA error: the operation cannot be performed in the present state")
        self.cuda.is_capturing = False
        if self.cuda.is_broken:
            raise RuntimeError("CUDA error: operation failed due to a previous error during capture")
        self.cuda.end(0, self.handle)
        self.has_ended, self.cuda.generator.is_capturing = True, False
        if self.cuda.fails_to_instantiate:
            raise torch.OutOfMemoryError("CUDA out of memory")

    def pool(self):
        if not self.has_ended:
            raise RuntimeError("Called CUDAGraph::pool() without a preceding successful capture.")
        return self.handle

    def reset(self):
        if self.has_ended:
            self.has_ended = False
            self.cuda.release(0, self.handle)

    def replay(self):
        assert self.has_ended

    def __del__(self):
        self.reset()


class FakeCuda:
    """Takes the place of what captures call in `torch.cuda`; `calls` lists what they did."""

    def __init__(self, monkeypatch, n_streams=32):
        self.calls, self.recording, self.uses = [], [], Counter()
        self.is_capturing = self.is_broken = self.fails_to_instantiate = self.is_watching = False
        self.generator, self.streams = FakeGenerator(), []
        self.current = FakeStream(-1)
        numbers = count()

        def stream():
            self.streams.append(FakeStream(next(numbers) % n_streams))
            return self.streams[-1]

        self.pools = count(1)
        replaced = {
            "CUDAGraph": lambda: FakeGraph(self),
            "Stream": stream,
            "stream": self.on_stream,
            "current_stream": lambda: self.current,
            "current_device": lambda: 0,
            "graph_pool_handle": self.new_pool,
            "synchronize": lambda: None,
            "empty_cache": lambda: None,
            "default_generators": (self.generator,),
            "get_sync_debug_mode": lambda: 0,
            "set_sync_debug_mode": lambda mode: setattr(self, "is_watching", mode == "warn"),
        }
        for name, value in replaced.items():
            monkeypatch.setattr(torch.cuda, name, value)
        monkeypatch.setattr(torch._C, "_cuda_endAllocateToPool", self.end, raising=False)
        monkeypatch.setattr(torch._C, "_cuda_releasePool", self.release, raising=False)
        monkeypatch.setattr(capture, "FAILED", [])

    def new_pool(self):
        return (0, next(self.pools))

    def log(self, word, *details):
        self.calls.append((word, *details))

    def end(self, device, pool):
        if pool not in self.recording:
            raise RuntimeError("endAllocatePool: not currently recording to mempool_id")
        self.recording.remove(pool)
        self.log("end", pool)

    def release(self, device, pool):
        assert self.uses[pool] > 0
        self.uses[pool] -= 1
        self.log("release", pool)

    @contextlib.contextmanager
    def on_stream(self, stream):
        before, self.current = self.current, stream
        try:
            yield
        finally:
            self.current = before

    def wait(self):
        """An operation that makes the CPU wait for the GPU, which breaks a capture."""
        if self.is_watching:
            warnings.warn("called a synchronizing CUDA operation", stacklevel=1)
        if self.is_capturing:
            self.is_broken = True
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing")
