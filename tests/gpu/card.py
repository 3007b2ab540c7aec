"""What the tests on a graphics card share: networks of the released widths, distances from the truth, bytes, times."""

import copy
import gc
import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

import tiny
from zimage_core.config import TURBO_DIT, DiTConfig
from zimage_core.model import S3DiT

DEVICE = torch.device("cuda")
WIDE = replace(TURBO_DIT, n_layers=2, n_refiner_layers=1)  # the released widths, and few layers
WORKSPACES = 150_000_000  # bytes that libraries may keep for themselves, of the 400 MB a plan leaves alone

Network = TypeVar("Network", bound=nn.Module)


class Remembered(logging.Handler):
    """Keeps what the project warned of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.sentences: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.sentences.append(record.getMessage())


WARNINGS = Remembered()  # of all tests so far: some things are decided once and told once


@torch.no_grad()
def filled(network: Network, dtype: torch.dtype = torch.bfloat16) -> Network:
    """A network that was built on "meta", with random weights drawn on the card."""
    generator = torch.Generator(DEVICE).manual_seed(0)
    shapes = {key: tensor.shape for key, tensor in sorted(network.state_dict().items())}
    with DEVICE:
        state = {key: tiny.random_value(key, shape, generator).to(dtype) for key, shape in shapes.items()}
    network.load_state_dict(state, assign=True)
    return network.requires_grad_(False).eval()


def transformer(dtype: torch.dtype = torch.bfloat16, config: DiTConfig = WIDE) -> S3DiT:
    """A transformer on the card."""
    return filled(S3DiT(config, device="meta"), dtype)


def exact(network: Network) -> Network:
    """The same weights in float32 on the processor."""
    return copy.deepcopy(network).to("cpu", torch.float32)


def drawn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    """Normal numbers on the card, the same in every test."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(DEVICE, dtype)


def drift(found: Tensor, truth: Tensor) -> float:
    """Relative L2 distance, in float64 on the processor."""
    found, truth = found.cpu().double(), truth.cpu().double()
    assert found.shape == truth.shape and found.isfinite().all()
    return float((found - truth).norm() / truth.norm())


@contextmanager
def whole_float32() -> Generator[None, None, None]:
    """Products and convolutions in float32 that are not shortened to TF32."""
    products, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn
    before = products.allow_tf32, convolutions.allow_tf32
    products.allow_tf32 = convolutions.allow_tf32 = False
    try:
        yield
    finally:
        products.allow_tf32, convolutions.allow_tf32 = before


@contextmanager
def never_waiting() -> Generator[None, None, None]:
    """Any place where PyTorch makes the host wait for the card is an error."""
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def held() -> int:
    """Bytes of tensors on the card."""
    gc.collect()
    torch.cuda.synchronize()
    return torch.cuda.memory_allocated()


def peak(run: Callable[[], Any]) -> int:
    """The most bytes of tensors that a run adds at once."""
    before = held()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    run()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def milliseconds(run: Callable[[], Any], repeats: int = 15, warm_ups: int = 3) -> float:
    """The median time of a run by the card's own clock."""
    times: list[float] = []
    for turn in range(warm_ups + repeats):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        run()
        end.record()
        torch.cuda.synchronize()
        if turn >= warm_ups:
            times.append(start.elapsed_time(end))
    return median(times)


def free_host() -> int:
    """Bytes of main memory that may still be taken."""
    [line] = [line for line in Path("/proc/meminfo").read_text("ascii").splitlines() if line.startswith("MemAvailable")]
    return int(line.split()[1]) * 1024
