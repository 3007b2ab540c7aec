"""Batches by token budget: sequences differ in length, so a batch has as many examples as their tokens allow."""

from collections.abc import Iterable
from itertools import accumulate, takewhile

from ...model.sequence import padded_length


def token_count(latent_size: tuple[int, int], caption_tokens: int, patch: int = 2) -> int:
    """Sequence length of one example in the transformer: image and caption tokens, each padded to a multiple of 32."""
    height, width = latent_size
    return padded_length(height // patch * (width // patch)) + padded_length(caption_tokens)


def batch_size_within(counts: Iterable[int], budget: int) -> int:
    """How many examples, in order, stay within a budget of tokens; at least one, even if it exceeds the budget."""
    return max(1, sum(1 for _ in takewhile(lambda total: total <= budget, accumulate(counts))))
