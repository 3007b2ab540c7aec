"""How long something takes here, for choices that are measured once and remembered."""

import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor

WARM_UPS, RUNS = 3, 5
TOLERANCE = 0.02  # relative L2; ways to compute the same differ by 0.003 in 16 bits

Run = Callable[[], Tensor]


def seconds(run: Run) -> float:
    """The median time of a few warm runs, with the device waited for."""
    times: list[float] = []
    for index in range(WARM_UPS + RUNS):
        start = time.perf_counter()
        out = run()
        if out.is_cuda:
            torch.cuda.synchronize(out.device)
        if index >= WARM_UPS:
            times.append(time.perf_counter() - start)
    return median(times)


def agree(found: Tensor, expected: Tensor) -> bool:
    """Whether two results are the same but for rounding; nothing agrees with what is not a number."""
    expected = expected.float()
    return bool((found.float() - expected).norm() <= TOLERANCE * expected.norm())
