"""Helpers of the GPU tests: networks of the released widths, errors, peak memory and timing."""

import copy
import gc
import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from statistics import median
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

import tiny
from bench.deviation import deviation
from bench.memory import cuda_peak_memory
from zimage_core.config import TURBO_DIT, DiTConfig
from zimage_core.model import S3DiT

DEVICE = torch.device("cuda")
SHALLOW_TURBO = replace(TURBO_DIT, n_layers=2, n_refiner_layers=1)  # the released widths, few layers
WORKSPACES = 150_000_000  # bytes that CUDA libraries may keep, of the 400 MB a memory plan leaves unused

Network = TypeVar("Network", bound=nn.Module)


class WarningCollector(logging.Handler):
    """Collects warnings of the package's logger."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.sentences: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.sentences.append(record.getMessage())


WARNINGS = WarningCollector()  # of the test module so far: some warnings are logged only once


@torch.no_grad()
def with_random_weights(network: Network, dtype: torch.dtype = torch.bfloat16) -> Network:
    """Materialize a network built on "meta" with random weights drawn on the GPU."""
    generator = torch.Generator(DEVICE).manual_seed(0)
    shapes = {key: tensor.shape for key, tensor in sorted(network.state_dict().items())}
    with DEVICE:
        state = {key: tiny.random_value(key, shape, generator).to(dtype) for key, shape in shapes.items()}
    network.load_state_dict(state, assign=True)
    return network.requires_grad_(False).eval()


def transformer(dtype: torch.dtype = torch.bfloat16, config: DiTConfig = SHALLOW_TURBO) -> S3DiT:
    """A transformer on the GPU."""
    return with_random_weights(S3DiT(config, device="meta"), dtype)


def float32_on_cpu(network: Network) -> Network:
    """The same weights in float32 on the CPU."""
    return copy.deepcopy(network).to("cpu", torch.float32)


def randn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    """Normal random values on the GPU, drawn on the CPU from a seed."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(DEVICE, dtype)


def relative_error(found: Tensor, truth: Tensor) -> float:
    """Relative L2 distance, in float64 on the CPU."""
    assert found.isfinite().all()
    return deviation(found.cpu(), truth.cpu()).relative_l2


@contextmanager
def no_sync() -> Generator[None, None, None]:
    """Any operation that makes the CPU wait for the GPU raises an error."""
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def allocated_bytes() -> int:
    """Bytes of live tensors on the GPU."""
    gc.collect()
    torch.cuda.synchronize()
    return torch.cuda.memory_allocated()


def peak_bytes(run: Callable[[], Any]) -> int:
    """Peak GPU memory of a run above what was allocated before."""
    gc.collect()
    return cuda_peak_memory(run, DEVICE).allocated


def milliseconds(run: Callable[[], Any], repeats: int = 15, warm_ups: int = 3) -> float:
    """Median time of a run, measured with CUDA events."""
    times: list[float] = []
    for index in range(warm_ups + repeats):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        run()
        end.record()
        torch.cuda.synchronize()
        if index >= warm_ups:
            times.append(start.elapsed_time(end))
    return median(times)
