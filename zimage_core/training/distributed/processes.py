"""What a run asks of the processes that share it; here for one process, which shares with nobody.

`many.py` has the same for several. It imports torch.distributed, which some builds of PyTorch lack.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from ...model import S3DiT

Part = TypeVar("Part")


@dataclass(frozen=True)
class Processes:
    """Process `rank` of `count`."""

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process tells of progress, and writes what all have."""
        return self.rank == 0

    def share(self, parts: Sequence[Part]) -> list[tuple[Part, float]]:
        """This process's parts of a loss, and factors whose mean over the processes makes the whole loss.

        All processes have the same number, as they gather weights together: what is missing is the last part times 0.
        """
        n_rounds = math.ceil(len(parts) / self.count)
        places = range(self.rank, n_rounds * self.count, self.count)
        return [(parts[min(place, len(parts) - 1)], self.count * float(place < len(parts))) for place in places]

    def mean(self, value: float) -> float:
        """The mean of a number over the processes."""
        return value

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum of a tensor over the processes."""
        return tensor

    def of_first(self, numbers: Callable[[], Tensor], like: Tensor) -> Tensor:
        """What the first process finds, for all; the others ask nothing. It has the shape and type of `like`."""
        return self.sum(numbers().to(like) if self.is_first else torch.zeros_like(like))

    def wait(self) -> None:
        """Return when all processes are here."""

    def average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replace the gradients by their means over the processes."""

    def clip_gradients(self, parameters: Sequence[nn.Parameter], most: float) -> float:
        """Scale the gradients down to a norm of at most `most`; returns the norm before."""
        return nn.utils.clip_grad_norm_(parameters, most).item()

    def optimized(self, parameters: Sequence[nn.Parameter]) -> list[dict[str, list[nn.Parameter]]]:
        """The parameters in groups, as optimizers take them: no group mixes whole and sharded ones."""
        return [{"params": list(parameters)}]

    def place(self, dit: S3DiT, device: torch.device) -> None:
        """Move a transformer to this process's device; of several processes each has a part of its blocks there."""
        dit.to(device)

    def local(self, tensor: Tensor) -> Tensor:
        """What this process holds of a tensor."""
        return tensor

    def whole(self, tensor: Tensor) -> Tensor:
        """All of a tensor; all processes have to ask for it together."""
        return tensor

    def rows(self, tensor: Tensor) -> slice | None:
        """Which rows of a sharded tensor this process holds; None where it holds all."""
        return None


ONE_PROCESS = Processes()
