"""Capture of a run as a CUDA graph: one stream for each owner, and nothing left behind where a capture fails.

PyTorch up to 2.11 leaves a failed capture open: `capture_end` raises before it ends the allocation to the graph's pool,
and the pool is never released. With `cudaMallocAsync` no tensor of the process is freed from then on. So what began is
ended here, and as not all of a failed capture can be seen from Python, nothing is captured after it in this process.
"""

import logging
import traceback
import warnings
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, runtime_checkable
from weakref import finalize

import torch
from torch import Tensor

from ..measure import Compute, first_line

if TYPE_CHECKING:
    from torch.cuda import _POOL_HANDLE as Pool  # pyright: ignore[reportPrivateUsage]

LOGGER = logging.getLogger("zimage")
WARM_UPS = 3  # runs before a capture, in which back-ends choose kernels and allocate
POOL_STREAMS = 32  # of a device: PyTorch gives them out in turns
FAILED: list[torch.cuda.CUDAGraph] = []  # kept, as PyTorch's allocator of pinned memory still refers to them
SWITCHED_OFF = "a capture failed before, and CUDA graphs stay off until the program is started again"


@runtime_checkable
class Replayable(Protocol):
    """Captured work, which can be repeated on the same addresses."""

    def replay(self) -> None: ...


@runtime_checkable
class CaptureFunction(Protocol):
    """Runs and captures. `pool_from` is a capture of the same model, whose memory pool is shared."""

    def __call__(self, run: Compute, pool_from: Replayable | None) -> tuple[Tensor, Replayable]: ...


class CudaCapture:
    """A CUDA graph and its memory pool."""

    def __init__(self, graph: torch.cuda.CUDAGraph, pool: "Pool") -> None:
        self.graph = graph
        self.pool = pool

    def replay(self) -> None:
        """Launch the whole graph on the current stream."""
        self.graph.replay()


class CaptureStreams:
    """CUDA streams to capture on: each is one owner's while that lives, and then the next one's.

    PyTorch keeps a cuBLAS workspace for every stream that was ever used, 33.5 MB on Hopper.
    """

    def __init__(self) -> None:
        self.free: defaultdict[int, list[torch.cuda.Stream]] = defaultdict(list)  # by device index
        self.known: set[torch.cuda.Stream] = set()

    def lend(self, owner: object, device: int) -> torch.cuda.Stream:
        """A stream of this device for `owner`, until it is collected."""
        free = self.free[device]
        stream = free.pop() if free else self._new()
        finalize(owner, free.append, stream).atexit = False
        return stream

    def _new(self) -> torch.cuda.Stream:
        """A stream of the current device that no owner has, while there is one."""
        drawn = (torch.cuda.Stream() for _ in range(POOL_STREAMS))
        stream = next((each for each in drawn if each not in self.known), None) or torch.cuda.Stream()
        self.known.add(stream)
        return stream


STREAMS = CaptureStreams()


class OwnStreamCapture:
    """A `CaptureFunction` that captures the runs of one model on a stream of its own.

    Graphs of one model share the stream and a memory pool, because each output is copied before the next replay. They
    also share the stream's cuBLAS workspace, which PyTorch frees with the first graph to be freed (its issue 193402),
    so all must be dropped together.
    """

    def __init__(self, streams: CaptureStreams = STREAMS) -> None:
        self.source = streams
        self.streams: dict[int, torch.cuda.Stream] = {}  # by device index

    def __call__(self, run: Compute, pool_from: Replayable | None) -> tuple[Tensor, CudaCapture]:
        """The output of a run and its graph."""
        if is_switched_off():
            raise RuntimeError(f"Nothing is captured: {SWITCHED_OFF}.")
        device = torch.cuda.current_device()
        if device not in self.streams:
            self.streams[device] = self.source.lend(self, device)
        pool = pool_from.pool if isinstance(pool_from, CudaCapture) else torch.cuda.graph_pool_handle()
        _warm_up(run, self.streams[device])
        with torch.cuda.stream(self.streams[device]):
            out, graph = _captured(run, pool)
        return out, CudaCapture(graph, pool)


def is_switched_off() -> bool:
    """Whether a capture has failed in this process."""
    return bool(FAILED)


def _warm_up(run: Compute, stream: torch.cuda.Stream) -> None:
    """Runs on a side stream, as PyTorch requires; the last must not wait for the GPU, as that breaks a capture."""
    current = torch.cuda.current_stream()
    stream.wait_stream(current)
    try:
        with torch.cuda.stream(stream):
            for _ in range(WARM_UPS - 1):
                run()
            _check_never_waits(run)
    finally:
        current.wait_stream(stream)


def _check_never_waits(run: Compute) -> None:
    """Refuse a run in which PyTorch waits for the GPU, before anything is captured."""
    mode = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")  # in other threads, too, so no "error"
        try:
            run()
        finally:
            torch.cuda.set_sync_debug_mode(mode)
    if any("called a synchronizing CUDA operation" in str(each.message) for each in caught):
        raise RuntimeError("The run waits for the GPU, which a capture cannot.")


def _captured(run: Compute, pool: "Pool") -> tuple[Tensor, torch.cuda.CUDAGraph]:
    """The output of a run and its graph, captured on the current stream."""
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    graph, out = torch.cuda.CUDAGraph(), list[Tensor]()
    graph.capture_begin(pool=pool, capture_error_mode="thread_local")
    try:
        try:
            out.append(run())
        except BaseException as error:
            _clear_frames(error)  # the tensors that they hold must be freed inside the capture they were made in
            with suppress(RuntimeError):
                graph.capture_end()
            raise
        graph.capture_end()
    except BaseException as error:
        out.clear()
        _switch_off(graph, pool, error)
        raise
    return out[0], graph


def _clear_frames(error: BaseException | None) -> None:
    """Drop the local variables of the calls that an exception, and those before it, came through."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def _switch_off(graph: torch.cuda.CUDAGraph, pool: "Pool", error: BaseException) -> None:
    """End and release what a failed capture began, and capture nothing more in this process."""
    FAILED.append(graph)
    device = torch.cuda.current_device()
    with suppress(RuntimeError):  # where `capture_end` came that far, it has ended
        torch._C._cuda_endAllocateToPool(device, pool)  # pyright: ignore[reportPrivateUsage]
    if _has_ended(graph):
        graph.reset()  # which releases the pool
    else:
        torch._C._cuda_releasePool(device, pool)  # pyright: ignore[reportPrivateUsage]
    generator = torch.cuda.default_generators[device]
    generator.graphsafe_set_state(generator.clone_state())  # which is not marked as being captured
    LOGGER.warning(
        "Z-Image: capture failed (%s); CUDA graphs stay off until the program is started again",
        first_line(error) or type(error).__name__,
    )


def _has_ended(graph: torch.cuda.CUDAGraph) -> bool:
    try:
        graph.pool()
    except RuntimeError:
        return False
    return True
