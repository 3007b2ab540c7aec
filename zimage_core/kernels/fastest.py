"""The fastest of several kernels that compute the same, measured once for every device, dtype and width."""

import logging
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from typing import TypeVar

import torch
from torch import Tensor

from ..measure import first_line, run_and_compare, seconds

LOGGER = logging.getLogger("zimage")
N_TOKENS, SPREAD = 1024, 3.0  # of the random sample tokens; SPREAD is their standard deviation

K = TypeVar("K")  # a kernel, or a set of them
Workload = Callable[[K, Tensor], Tensor]  # runs kernels on tokens (1, n, width)


@cache
def fastest(
    fallback: K,
    load: Callable[[torch.device], Sequence[K]],
    workload: Workload[K],
    device: torch.device,
    dtype: torch.dtype,
    width: int,
) -> K:
    """The fastest on `workload` of the fallback kernels and of those that `load` imports (Triton's).

    Loaded kernels that fail or whose output differs from the fallback kernels' are left out, with a line in the log.
    """
    if find_spec("triton") is None:
        return fallback
    generator = torch.Generator(device).manual_seed(0)  # a private one, so that the global random state is untouched
    x = SPREAD * torch.randn(1, N_TOKENS, width, device=device, dtype=dtype, generator=generator)
    try:
        candidates = load(device)
    except Exception as error:  # noqa: BLE001 - a broken installation can raise anything; fallback kernels still work
        _report(device, first_line(error))
        return fallback
    expected = workload(fallback, x)
    valid = [fallback, *(each for each in candidates if _is_valid(each, workload, x, expected))]
    return min(valid, key=lambda each: seconds(lambda: workload(each, x))) if len(valid) > 1 else fallback


def _is_valid(kernels: K, workload: Workload[K], x: Tensor, expected: Tensor) -> bool:
    """Whether kernels compile on this device and give the expected result."""
    found = run_and_compare(lambda: workload(kernels, x), expected, "they do not agree with PyTorch's")
    if isinstance(found, str):
        _report(x.device, found)
    return not isinstance(found, str)


def _report(device: torch.device, reason: str) -> None:
    LOGGER.warning("Z-Image: fused kernels are off on %s: %s", device, reason)
