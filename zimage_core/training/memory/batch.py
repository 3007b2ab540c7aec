"""The largest group of examples that a run computes at once, as tensors without memory."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ...config import DiTConfig
from ..encoded_example import EncodedExample
from ..encoded_files import EncodedSet
from ..flow_training import FlowMatching, TrainingSet
from ..loop.micro_batches import Noised
from ..mixture import DrawnExamples
from .step_bytes import META

N_DRAWN = 8


class Batch(NamedTuple):
    """A group of equal examples, on the meta device."""

    group: Sequence[Noised]
    has_others: bool  # in its step, so that their gradients are there meanwhile

    def __str__(self) -> str:
        return f"{len(self.group)} x {self.group[0].tokens} tokens"

    @property
    def tokens(self) -> int:
        """Of all examples."""
        return sum(each.tokens for each in self.group)


def batch_of(config: DiTConfig, cells: tuple[int, int], caption_tokens: int, count: int = 1) -> Batch:
    """Pictures of (height, width) latent cells with captions of so many tokens, all that a step has."""
    latent = _empty(config.in_channels, *cells)
    example = Noised(latent, latent, _empty(), _empty(caption_tokens, config.cap_feat_dim))
    return Batch([example] * count, has_others=False)


def largest_batch(dataset: TrainingSet, step_of: FlowMatching) -> Batch:
    """The largest that a step on this set may have."""
    sets = [*(part.examples for part in dataset.mixture.parts), dataset.regularization]
    noised = {each.kind: each for part in sets for example in _shapes(part) for each in _with_captions(example)}
    n_step = step_of.batch * (2 if dataset.regularization else 1)

    def fitting(each: Noised) -> int:
        return max(1, min(step_of.token_budget // each.tokens, n_step))

    largest = max(noised.values(), key=lambda each: each.tokens * fitting(each))
    count = fitting(largest)
    return Batch([largest] * count, has_others=n_step > (count if len(noised) == 1 else 1))


def _shapes(examples: Sequence[EncodedExample] | DrawnExamples) -> Iterable[EncodedExample]:
    match examples:
        case EncodedSet():
            return examples.shapes()
        case DrawnExamples():  # made for each step, and alike
            return examples.drawn(range(min(len(examples), N_DRAWN)), torch.Generator())
        case _:
            return examples


def _with_captions(example: EncodedExample) -> Iterable[Noised]:
    """The example with each of its captions."""
    latent, weight, seen = _like(example.picture.mean), example.weight, example.seen
    like = _empty()
    seen = seen and seen._replace(
        references=tuple(each.to(like) for each in seen.references),
        before=tuple(map(_like, seen.before)),
        after=_like(seen.after),
    )
    for caption in example.captions:
        yield Noised(latent, latent, like, _like(caption), seen, None if weight is None else _like(weight))


def _like(tensor: Tensor) -> Tensor:
    return _empty(*tensor.shape)


def _empty(*shape: int) -> Tensor:
    return torch.empty(shape, device=META)
