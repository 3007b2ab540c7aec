"""Peak memory of one run above what was held before it; what a run keeps for the next one is its own."""

from typing import NamedTuple

import torch

from .contest import Contestant
from .counter import count


class Peak(NamedTuple):
    """Bytes. On a CPU allocated ones are those of live tensors, and nothing is reserved."""

    allocated: int
    reserved: int | None


def peak(contestant: Contestant, device: torch.device) -> Peak:
    """One run's peak, its weights and inputs not counted."""
    with contestant.scope():
        if device.type != "cuda":
            return Peak(count(contestant.run).peak_bytes, None)
        contestant.forget()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device), torch.cuda.memory_reserved(device)
        with torch.inference_mode():
            contestant.run()
        torch.cuda.synchronize(device)
        after = torch.cuda.max_memory_allocated(device), torch.cuda.max_memory_reserved(device)
        return Peak(after[0] - before[0], after[1] - before[1])
