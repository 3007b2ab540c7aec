"""The fastest of several kernels that compute the same, measured once for every device, dtype and width."""

import logging
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from typing import TypeVar

import torch
from torch import Tensor

from ..measure import agree, seconds

LOGGER = logging.getLogger("zimage")
N_TOKENS, SPREAD = 1024, 3.0  # of the random sample tokens; their standard deviation

K = TypeVar("K")  # a kernel, or a set of them
Workload = Callable[[K, Tensor], Tensor]  # runs kernels on tokens (1, n, width)


@cache
def fastest(
    stock: K,
    load: Callable[[torch.device], Sequence[K]],
    workload: Workload[K],
    device: torch.device,
    dtype: torch.dtype,
    width: int,
) -> K:
    """The fastest on `workload` of the stock kernels and of those that `load` imports (Triton's).

    Loaded kernels that fail or whose output differs from the stock kernels' are left out, with a line in the log.
    """
    if find_spec("triton") is None:
        return stock
    generator = torch.Generator(device).manual_seed(0)  # a private one, so that the global random state is untouched
    x = SPREAD * torch.randn(1, N_TOKENS, width, device=device, dtype=dtype, generator=generator)
    try:
        candidates = load(device)
    except Exception as error:  # noqa: BLE001 - a broken installation can raise anything; stock kernels still work
        _report(device, error)
        return stock
    expected = workload(stock, x)
    valid = [stock, *(each for each in candidates if _is_valid(each, workload, x, expected))]
    return min(valid, key=lambda each: seconds(lambda: workload(each, x))) if len(valid) > 1 else stock


def _is_valid(kernels: K, workload: Workload[K], x: Tensor, expected: Tensor) -> bool:
    """Whether kernels compile on this device and give the expected result."""
    try:
        if agree(workload(kernels, x), expected):
            return True
        raise ArithmeticError("they do not agree with PyTorch's")
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - a compiler can raise anything; stock kernels still work
        _report(x.device, error)
        return False


def _report(device: torch.device, error: Exception) -> None:
    LOGGER.warning("Z-Image: fused kernels are off on %s: %s", device, str(error).partition("\n")[0])
