"""Exponential moving average (EMA) of a module's parameters; it gives better samples than the last step's."""

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Ema:
    """The average of `module`'s parameters. The decay is shorter in early steps, so that random initial values fade."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module = module
        self.decay = decay
        self.average = {name: parameter.detach().clone() for name, parameter in module.named_parameters()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move the average toward the parameters after training step `step`, counted from 0."""
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        for name, parameter in self.module.named_parameters():
            self.average[name].lerp_(parameter, weight)

    @contextmanager
    def applied(self) -> Generator[None]:
        """Context in which the module has the averaged parameters; its own are restored bit for bit."""
        saved = {name: parameter.detach().clone() for name, parameter in self.module.named_parameters()}
        self.assign()
        try:
            yield
        finally:
            self._assign(saved)

    def assign(self) -> None:
        """Give the module the averaged parameters for good."""
        self._assign(self.average)

    @torch.no_grad()
    def _assign(self, values: dict[str, Tensor]) -> None:
        for name, parameter in self.module.named_parameters():
            parameter.copy_(values[name])
