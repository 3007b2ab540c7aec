"""A step's examples in groups that run as one batch: equal sizes, equal padded captions, within a budget of tokens.

Pictures of any shape and captions of any length meet in one step, so that no shape has to wait until it has enough of
its kind. The gradients of the groups add up to that of the whole.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..._shapes import Float
from .batches import token_count


class Noised(NamedTuple):
    """One example of a step, with all that was drawn for it."""

    x0: Float[Tensor, "z h w"]
    noise: Float[Tensor, "z h w"]
    sigma: Float[Tensor, ""]
    caption: Float[Tensor, "_ f"]

    @property
    def tokens(self) -> int:
        """Its length in the transformer."""
        return token_count((self.x0.shape[-2], self.x0.shape[-1]), len(self.caption))


def micro_batches(examples: Sequence[Noised], token_budget: int, n_processes: int = 1) -> Iterator[list[Noised]]:
    """The examples in groups, those with most tokens first, so that too little memory shows at once.

    Examples of one kind are divided among processes, if there are so many.
    """
    groups: defaultdict[tuple[int, ...], list[Noised]] = defaultdict(list)
    for example in examples:
        groups[(example.tokens, *example.x0.shape)].append(example)
    for (tokens, *_), group in sorted(groups.items(), key=lambda item: item[0], reverse=True):
        size = max(1, min(token_budget // tokens, math.ceil(len(group) / n_processes)))
        yield from (group[first : first + size] for first in range(0, len(group), size))


def stacked(examples: Sequence[Noised]) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
    """Latents, noise, levels and captions of one group."""
    return (
        torch.stack([each.x0 for each in examples]),
        torch.stack([each.noise for each in examples]),
        torch.stack([each.sigma for each in examples]),
        [each.caption for each in examples],
    )
