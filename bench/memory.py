"""Peak memory of one run above what was allocated before it, including buffers it keeps for later runs."""

from collections.abc import Callable
from typing import NamedTuple

import torch

from .counter import count
from .runner import Runner


class PeakMemory(NamedTuple):
    """In bytes. On a CPU, `allocated` counts live tensors and `reserved` is None."""

    allocated: int
    reserved: int | None


def peak_memory(runner: Runner, device: torch.device) -> PeakMemory:
    """Peak memory of one run, excluding weights and inputs."""
    with runner.scope():
        if device.type != "cuda":
            return PeakMemory(count(runner.run).peak_bytes, None)
        runner.release()
        with torch.inference_mode():
            return cuda_peak_memory(runner.run, device)


def cuda_peak_memory(run: Callable[[], object], device: torch.device) -> PeakMemory:
    """Peak GPU memory of one run, as reported by PyTorch's caching allocator."""
    torch.cuda.synchronize(device)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device), torch.cuda.memory_reserved(device)
    run()
    torch.cuda.synchronize(device)
    after = torch.cuda.max_memory_allocated(device), torch.cuda.max_memory_reserved(device)
    return PeakMemory(after[0] - before[0], after[1] - before[1])
