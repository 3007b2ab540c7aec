"""How long a computation takes, and whether two computations of the same thing agree."""

import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor

WARM_UPS, RUNS = 3, 5
LONG = 0.03  # seconds; what takes longer is timed once, after one warm-up
TOLERANCE = 0.02  # relative L2 error; exact kernels differ from one another by 0.003 in 16 bits

Compute = Callable[[], Tensor]


def seconds(compute: Compute) -> float:
    """The median time of a few runs after a few warm-up runs, each until the device has finished.

    The second run is the last where it is long: what is left of a start does not count in it then.
    """
    times: list[float] = []
    for index in range(WARM_UPS + RUNS):
        start = time.perf_counter()
        out = compute()
        if out.is_cuda:
            torch.cuda.synchronize(out.device)
        elapsed = time.perf_counter() - start
        if index == 1 and elapsed >= LONG:
            return elapsed
        if index >= WARM_UPS:
            times.append(elapsed)
    return median(times)


def agree(found: Tensor, expected: Tensor) -> bool:
    """Whether two results differ by rounding only; a NaN in either makes them differ."""
    expected = expected.float()
    return bool((found.float() - expected).norm() <= TOLERANCE * expected.norm())


def run_and_compare(
    compute: Compute,
    expected: Tensor,
    difference: str,
    *,
    is_same: Callable[[Tensor, Tensor], bool] = agree,
    caught: type[Exception] = Exception,
    passed_on: tuple[type[Exception], ...] = (torch.OutOfMemoryError,),
) -> Tensor | str:
    """The result of an optional kernel; or, where it fails or differs from `expected`, one line saying why.

    The line is `difference`, or the first line of a `caught` exception: compilers and optional packages can raise
    anything, and the work goes on without them. Exceptions in `passed_on` are for the caller, above all running out of
    memory, which says nothing about the kernel.
    """
    try:
        found = compute()
        return found if is_same(found, expected) else difference
    except passed_on:
        raise
    except caught as error:
        return first_line(error)


def first_line(error: BaseException) -> str:
    """The first line of an exception's message, for a log: compilers append pages of source."""
    return str(error).partition("\n")[0]
