"""Several processes on one run, through torch.distributed.

Each draws the whole step from the step's own generator and computes its share of it. How many there are changes nothing
but the order of additions.
"""

import math
from collections.abc import Sequence
from itertools import compress
from operator import not_

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from ...model import S3DiT
from .processes import Processes
from .sharding import shard

CLIP_EPSILON = 1e-6  # as torch.nn.utils.clip_grad_norm_ has it


class ManyProcesses(Processes):
    """One of the processes of torch's default group, which reduces tensors in RAM, too."""

    def mean(self, value: float) -> float:
        """The mean of a number over the processes."""
        summed = torch.tensor(value, dtype=torch.float64)
        dist.all_reduce(summed)
        return summed.item() / self.count

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum of a tensor over the processes."""
        summed = tensor.contiguous()
        dist.all_reduce(summed)
        return summed

    def wait(self) -> None:
        """Return when all processes are here."""
        self.mean(0.0)

    def average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Those of whole parameters: `fully_shard` averages those of sharded ones as they are computed."""
        whole = [parameter for parameter in parameters if not isinstance(parameter, DTensor)]
        is_used = torch.tensor([parameter.grad is not None for parameter in whole], dtype=torch.uint8)
        dist.all_reduce(is_used, dist.ReduceOp.MAX)
        for parameter in (each for each, used in zip(whole, is_used.tolist(), strict=True) if used):
            if parameter.grad is None:  # no example of this process uses it
                parameter.grad = torch.zeros_like(parameter)
            dist.all_reduce(parameter.grad)
            parameter.grad /= self.count

    def clip_gradients(self, parameters: Sequence[nn.Parameter], most: float) -> float:
        """Scale the gradients down to a norm of at most `most`; returns the norm before."""
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        sharded = [self.local(each) for each in gradients if isinstance(each, DTensor)]
        whole = [each for each in gradients if not isinstance(each, DTensor)]
        norm = math.sqrt(self.count * self.mean(_sum_of_squares(sharded)) + _sum_of_squares(whole))
        factor = min(1.0, most / (norm + CLIP_EPSILON))
        for gradient in (*sharded, *whole):
            gradient.mul_(factor)
        return norm

    def optimized(self, parameters: Sequence[nn.Parameter]) -> list[dict[str, list[nn.Parameter]]]:
        """The parameters in groups, as optimizers take them: no group mixes whole and sharded ones."""
        is_sharded = [isinstance(parameter, DTensor) for parameter in parameters]
        groups = [list(compress(parameters, is_sharded)), list(compress(parameters, map(not_, is_sharded)))]
        return [{"params": group} for group in groups if group]

    def place(self, dit: S3DiT, device: torch.device) -> None:
        """Divide the blocks among the processes, and move what this one has to its device."""
        shard(dit, self.count, device)

    def local(self, tensor: Tensor) -> Tensor:
        """What this process holds of a tensor."""
        return tensor.to_local() if isinstance(tensor, DTensor) else tensor

    def whole(self, tensor: Tensor) -> Tensor:
        """All of a tensor; all processes have to ask for it together."""
        return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor

    def rows(self, tensor: Tensor) -> slice | None:
        """Which rows of a sharded tensor this process holds; None where it holds all."""
        if not isinstance(tensor, DTensor):
            return None
        each = math.ceil(len(tensor) / self.count)  # as torch.chunk divides: the last ones have fewer, or none
        first = min(self.rank * each, len(tensor))
        return slice(first, first + len(tensor.to_local()))


def _sum_of_squares(gradients: Sequence[Tensor]) -> float:
    return sum(gradient.double().square().sum().item() for gradient in gradients)
