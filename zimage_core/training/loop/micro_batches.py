"""A step's examples in groups that run as one batch: equal sizes, equal padded texts, within a budget of tokens.

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
from ...model.omni import batch_key
from ..encoded_example import Seen
from .batches import token_count


class Noised(NamedTuple):
    """One example of a step, with all that was drawn for it."""

    x0: Float[Tensor, "z h w"]
    noise: Float[Tensor, "z h w"]
    sigma: Float[Tensor, ""]
    caption: Float[Tensor, "_ f"]
    seen: Seen | None = None  # of an edit
    weight: Float[Tensor, "h w"] | None = None  # of each cell's loss, 1 on average

    @property
    def chunks(self) -> tuple[Float[Tensor, "_ f"], ...]:
        """The text in the pieces that the transformer reads."""
        return self.seen.chunks(self.caption) if self.seen else (self.caption,)

    @property
    def tokens(self) -> int:
        """Its length in the transformer."""
        tokens = token_count((self.x0.shape[-2], self.x0.shape[-1]), len(self.caption))
        return tokens + self.seen.tokens if self.seen else tokens

    @property
    def kind(self) -> tuple[object, ...]:
        """What examples of one batch share."""
        return batch_key(self.x0, self.chunks, self.seen.references if self.seen else ())


def micro_batches(examples: Sequence[Noised], token_budget: int, n_processes: int = 1) -> Iterator[list[Noised]]:
    """The examples in groups, those with most tokens first, so that too little memory shows at once.

    Examples of one kind are divided among processes, if there are so many.
    """
    groups: defaultdict[tuple[int, tuple[object, ...]], list[Noised]] = defaultdict(list)
    for example in examples:
        groups[example.tokens, example.kind].append(example)
    for (tokens, _), group in sorted(groups.items(), key=lambda item: item[0][0], reverse=True):
        size = max(1, min(token_budget // tokens, math.ceil(len(group) / n_processes)))
        yield from (group[first : first + size] for first in range(0, len(group), size))


def stacked(examples: Sequence[Noised]) -> tuple[Tensor, Tensor, Tensor]:
    """Latents, noise and levels of one group."""
    return (
        torch.stack([each.x0 for each in examples]),
        torch.stack([each.noise for each in examples]),
        torch.stack([each.sigma for each in examples]),
    )


def stacked_weights(examples: Sequence[Noised]) -> Float[Tensor, "b h w"] | None:
    """Weights of the cells of one group; None where all count alike."""
    if all(each.weight is None for each in examples):
        return None
    return torch.stack([torch.ones(each.x0.shape[1:]) if each.weight is None else each.weight for each in examples])
