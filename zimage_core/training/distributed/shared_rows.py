"""A batch whose rows several processes share, each with the whole base: who computes which, and whose losses count.

All processes draw everything from the same generators, so that they have the same latents; a network is asked for one's
own rows alone. What has no gradients is gathered, as the next step of a drawing needs it; where gradients are kept the
rows of others are 0, and their losses are left out. So the number of processes changes the order of additions alone.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..._shapes import Bool, Float
from .processes import ONE_PROCESS, Processes


@dataclass(frozen=True, kw_only=True)
class SharedRows:
    """Rows of a batch, or pairs of rows that belong `together`, go to the processes in turn, from `first` on."""

    processes: Processes = ONE_PROCESS
    first: int = 0
    together: int = 1

    def mine(self, n_rows: int, together: int | None = None) -> Bool[Tensor, " n"]:
        """Which rows this process computes."""
        numbers = torch.arange(n_rows) // (together or self.together) + self.first
        return numbers % self.processes.count == self.processes.rank

    def computed(self, predicted: Callable[[Tensor], Tensor], like: Float[Tensor, "b ..."]) -> Tensor:
        """`predicted` gets the numbers of one's own rows; as many rows as `like` come back."""
        rows = self.mine(len(like)).nonzero()[:, 0].to(like.device)
        out = torch.zeros_like(like)
        if len(rows):
            part = predicted(rows)
            out = out.to(part.dtype).index_copy(0, rows, part)
        return out if torch.is_grad_enabled() else self.processes.sum(out)

    def own(self, values: Float[Tensor, " n"]) -> Float[Tensor, " m"]:
        """One's own of a batch's losses or other numbers."""
        return values if self.processes.count == 1 else values[self.mine(len(values), together=1).to(values.device)]

    def parts(self, losses: Float[Tensor, " n"], n: int) -> Iterator[Float[Tensor, ""]]:
        """One's own part of the sum of a batch's losses over `n`, if any; its mean over the processes is that sum."""
        own = self.own(losses)
        if len(own):
            yield own.sum() / n * self.processes.count


ALL_ROWS = SharedRows()
