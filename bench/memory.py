"""Peak memory of one run above what was allocated before it, whatever the run keeps for the next one included."""

from collections.abc import Callable
from typing import NamedTuple

import torch

from .contest import Contestant
from .counter import count


class Peak(NamedTuple):
    """Bytes. On a CPU `allocated` counts live tensors, and nothing is reserved."""

    allocated: int
    reserved: int | None


def peak(contestant: Contestant, device: torch.device) -> Peak:
    """One run's peak, without its weights and inputs."""
    with contestant.scope():
        if device.type != "cuda":
            return Peak(count(contestant.run).peak_bytes, None)
        contestant.forget()
        with torch.inference_mode():
            return cuda_peak(contestant.run, device)


def cuda_peak(run: Callable[[], object], device: torch.device) -> Peak:
    """One run's peak on a GPU, by PyTorch's caching allocator."""
    torch.cuda.synchronize(device)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device), torch.cuda.memory_reserved(device)
    run()
    torch.cuda.synchronize(device)
    after = torch.cuda.max_memory_allocated(device), torch.cuda.max_memory_reserved(device)
    return Peak(after[0] - before[0], after[1] - before[1])
