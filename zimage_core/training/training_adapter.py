"""A LoRA that undoes Turbo's distillation: in the network while it is trained, out of it for previews and for saving.

It stands beside the layers, whose weights are never changed, so that what is left is the very base that there was.
"""

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import nn

from ..adapters import Injection, Lora, deltas_by_parameter, parameter_shapes
from ..adapters.inject import side_branch

MATRIX = 2  # dimensions


class TrainingAdapter:
    """The adapter at full strength. Raises ValueError for one that changes more than matrices."""

    def __init__(self, network: nn.Module, lora: Lora, device: torch.device) -> None:
        deltas = deltas_by_parameter(network, [(lora, 1.0)])
        shapes = parameter_shapes(network)
        if other := [name for name in deltas if len(shapes[name]) < MATRIX]:
            raise ValueError(
                f"{lora.file} changes {other[0]}, which is no matrix: as a training adapter take a plain LoRA"
            )
        layers: dict[str, nn.Module] = {name: network.get_submodule(name.rpartition(".")[0]) for name in deltas}
        self.branches = [
            (layers[name], [side_branch(each, layers[name], device) for each in found])
            for name, found in deltas.items()
        ]
        self.injection = Injection()

    @contextmanager
    def attached(self) -> Generator[None]:
        """The network computes with the adapter; afterwards it is as before."""
        self._inject()
        try:
            yield
        finally:
            self.injection.eject()

    @contextmanager
    def aside(self) -> Generator[None]:
        """While it is attached: the network computes without it."""
        self.injection.eject()
        try:
            yield
        finally:
            self._inject()

    def _inject(self) -> None:
        for layer, branches in self.branches:
            self.injection.add_branches(layer, branches)
