"""Noise on prompt embeddings, for pictures that differ more from seed to seed.

Turbo's first steps decide the composition, and distillation left them one for each prompt. Embeddings that are a little
off during those steps alone give another one; the later steps read the plain prompt.

Letters: n tokens, f width of the text embeddings.
"""

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from .._shapes import Float

BEFORE = 1e-4  # a range ends this much before its end, so that a step at the end belongs to what follows


@dataclass(frozen=True, kw_only=True)
class EmbeddingNoise:
    """How much noise, on what, and during which part of the steps."""

    strength: float = 0.5  # the largest change, in standard deviations of the embeddings
    share: float = 0.5  # of the values that are changed
    start: float = 0.0  # part of the steps, from 0
    end: float = 0.25  # to 1
    seed: int = 0

    @property
    def is_on(self) -> bool:
        """Whether it changes anything."""
        return bool(self.strength and self.share) and self.start < self.end

    def of(self, embeddings: Float[Tensor, "1 n f"], protected: Collection[int] = ()) -> Float[Tensor, "1 n f"]:
        """Embeddings with noise uniform in [-1, 1] times strength and their standard deviation.

        Tokens whose numbers are in `protected` keep their bits. The noise is drawn on the CPU: the same everywhere.
        """
        generator = torch.Generator().manual_seed(self.seed)
        noise = torch.rand(embeddings.shape, generator=generator) * 2 - 1
        is_changed = torch.rand(embeddings.shape, generator=generator) < self.share
        is_changed[:, sorted(number for number in protected if number < embeddings.shape[1])] = False
        size = self.strength * embeddings.float().std()
        noised = embeddings.float() + size * noise.to(embeddings.device)
        return torch.where(is_changed.to(embeddings.device), noised.to(embeddings.dtype), embeddings)

    def ranges(self, start: float = 0.0, end: float = 1.0) -> list[tuple[float, float, bool]]:
        """A conditioning's part of the steps in pieces (start, end, has noise), in turn; empty pieces are left out."""
        first, last = self.start - BEFORE if self.start else 0.0, self.end - BEFORE if self.end < 1 else 1.0
        edges = ((0.0, first, False), (first, last, True), (last, 1.0, False))
        pieces = ((max(start, low), min(end, high), is_noised) for low, high, is_noised in edges)
        return [piece for piece in pieces if piece[0] < piece[1]]
