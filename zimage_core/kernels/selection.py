"""Which kernels a graphics card gets: the fastest of those that run and agree with stock operations.

Decided once for every device, type and width, on random tokens.
"""

import logging
from collections.abc import Callable, Sequence
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
def fastest(
    stock: Set,
    load: Callable[[torch.device], Sequence[Set]],
    exercise: Exercise[Set],
    device: torch.device,
    dtype: torch.dtype,
    width: int,
) -> Set:
    """The fastest of the stock kernels and of those `load` imports that give what the stock ones give.

    What is left out gets a line in the log. `exercise` runs kernels on tokens (1, n, width).
    """
    if find_spec("triton") is None:
        return stock
    generator = torch.Generator(device).manual_seed(0)  # of its own: nobody's noise changes
    x = SPREAD * torch.randn(1, N_TOKENS, width, device=device, dtype=dtype, generator=generator)
    try:
        others = load(device)
    except Exception as error:  # noqa: BLE001 - a broken installation fails in any way; the work goes on without it
        _tell(device, error)
        return stock
    expected = exercise(stock, x)
    sound = [stock, *(each for each in others if _is_sound(each, exercise, x, expected))]
    return min(sound, key=lambda each: seconds(lambda: exercise(each, x))) if len(sound) > 1 else stock


def _is_sound(kernels: Set, exercise: Exercise[Set], x: Tensor, expected: Tensor) -> bool:
    """Whether kernels compile here and agree."""
    try:
        if agree(exercise(kernels, x), expected):
            return True
        raise ArithmeticError("they do not agree with PyTorch's")
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - a compiler's failure has any type; the work goes on without it
        _tell(x.device, error)
        return False


def _tell(device: torch.device, error: Exception) -> None:
    LOGGER.warning("Z-Image: fused kernels are off on %s: %s", device, str(error).partition("\n")[0])
