"""Optimizers by name: PyTorch's own, and those of packages that are installed."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import nn

Parameters = Sequence[dict[str, list[nn.Parameter]]]  # groups, as optimizers take them


def optimizer_of(
    name: str, parameters: Parameters, *, lr: float, betas: tuple[float, float], weight_decay: float
) -> torch.optim.Optimizer:
    """An optimizer of `MAKERS`. Raises ValueError with the package to install where one is missing."""
    make = MAKERS.get(name)
    if make is None:
        raise ValueError(f"there is no optimizer {name}: choose {', '.join(MAKERS)}")
    return make(parameters, lr=lr, betas=betas, weight_decay=weight_decay)


def _adamw(parameters: Parameters, **settings: Any) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, fused=True, **settings)


def _adafactor(parameters: Parameters, *, lr: float, betas: Any, weight_decay: float) -> torch.optim.Optimizer:
    """Without momentum: `betas` have no meaning here."""
    return torch.optim.Adafactor(parameters, lr=lr, weight_decay=weight_decay)


def _adamw8bit(parameters: Parameters, **settings: Any) -> torch.optim.Optimizer:
    try:
        from bitsandbytes.optim import AdamW8bit  # type: ignore[import-not-found]
    except ImportError as error:
        raise _missing("adamw8bit", "bitsandbytes") from error
    return AdamW8bit(parameters, **settings)


def _prodigy(parameters: Parameters, **settings: Any) -> torch.optim.Optimizer:
    """It finds its own step size: give it a learning rate of 1."""
    try:
        from prodigyopt import Prodigy  # type: ignore[import-not-found]
    except ImportError as error:
        raise _missing("prodigy", "prodigyopt") from error
    return Prodigy(parameters, **settings)


def _schedule_free(parameters: Parameters, **settings: Any) -> torch.optim.Optimizer:
    try:
        from schedulefree import AdamWScheduleFree  # type: ignore[import-not-found]
    except ImportError as error:
        raise _missing("adamw-schedulefree", "schedulefree") from error
    optimizer = AdamWScheduleFree(parameters, **settings)
    optimizer.train()
    return optimizer


def _missing(name: str, package: str) -> ValueError:
    return ValueError(f"the optimizer {name} needs a package that is not installed: pip install {package}")


MAKERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adamw": _adamw,
    "adafactor": _adafactor,
    "adamw8bit": _adamw8bit,
    "prodigy": _prodigy,
    "adamw-schedulefree": _schedule_free,
}

BYTES_A_VALUE = {"adamw": 8.0, "adamw8bit": 2.0, "prodigy": 16.0, "adamw-schedulefree": 8.0}  # of two to four states
MATRIX = 2  # dimensions


def state_bytes(name: str, parameters: Iterable[torch.Tensor]) -> int:
    """Bytes of an optimizer's tensors for these parameters; Adafactor keeps a sum for each row and column."""
    if name != "adafactor":
        return int(BYTES_A_VALUE[name] * sum(each.numel() for each in parameters))
    return 4 * sum(_factored(tuple(each.shape)) for each in parameters)


def _factored(shape: tuple[int, ...]) -> int:
    *batch, height, width = (1, *shape)
    return math.prod(batch) * (height + width) if len(shape) >= MATRIX else width
