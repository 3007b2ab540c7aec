"""Exponential moving average (EMA) of a module's parameters; it gives better samples than the last step's."""

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import nn


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
        """Context in which the module has the averaged parameters; its own are restored bit for bit.

        The two are swapped, one parameter at a time, so that nothing is in memory twice.
        """
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def assign(self) -> None:
        """Give the module the averaged parameters for good."""
        with torch.no_grad():
            for name, parameter in self.module.named_parameters():
                parameter.copy_(self.average[name])

    @torch.no_grad()
    def _swap(self) -> None:
        for name, parameter in self.module.named_parameters():
            own = parameter.detach().clone()
            parameter.copy_(self.average[name])
            self.average[name].copy_(own)
