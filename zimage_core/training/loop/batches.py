"""Batches by token budget: sequences differ in length, so a batch is as many examples as their tokens allow."""

from collections.abc import Iterable
from itertools import accumulate, takewhile

from ...model.sequence import padded_length


def token_count(latent_size: tuple[int, int], caption_tokens: int, patch: int = 2) -> int:
    """Tokens the transformer sees of one example: picture and caption, each padded to a multiple of 32."""
    height, width = latent_size
    return padded_length(height // patch * (width // patch)) + padded_length(caption_tokens)


def fitting(counts: Iterable[int], budget: int) -> int:
    """How many examples, taken in order, stay within the budget; at least one, whatever it costs."""
    return max(1, sum(1 for _ in takewhile(lambda total: total <= budget, accumulate(counts))))
