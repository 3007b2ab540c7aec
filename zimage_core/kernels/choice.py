"""The set of kernels for a graphics card: the fused ones where they run, agree and are faster than stock operations.

Decided once for every device, type and width, on random tokens.
"""

import logging
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import TypeVar

import torch
from torch import Tensor

from ..measure import agree, seconds

LOGGER = logging.getLogger("zimage")
N_TOKENS, SPREAD = 1024, 3.0

Set = TypeVar("Set")
Exercise = Callable[[Set, Tensor], Tensor]


@cache
def faster(
    stock: Set, load: Callable[[], Set], exercise: Exercise[Set], device: torch.device, dtype: torch.dtype, width: int
) -> Set:
    """The set that `load` imports if it gives what `stock` gives, in less time; else `stock`, and a line in the log."""
    if find_spec("triton") is None:
        return stock
    x = SPREAD * torch.randn(1, N_TOKENS, width, device=device, dtype=dtype)
    try:
        fused = load()
        if not agree(exercise(fused, x), exercise(stock, x)):
            raise ArithmeticError("they do not agree with PyTorch's")
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - a compiler's failure has any type; the work goes on without it
        LOGGER.warning("Z-Image: fused kernels are off on %s: %s", device, str(error).partition("\n")[0])
        return stock
    times = [seconds(lambda each=each: exercise(each, x)) for each in (fused, stock)]
    return fused if times[0] < times[1] else stock
