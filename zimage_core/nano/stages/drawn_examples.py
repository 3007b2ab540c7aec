"""What nano's transformer learns from: banked latents, and words that are drawn and read anew for every step.

Every set is one of `training.mixture.DrawnExamples`, so the engine that trains on folders trains on these as well.
"""

import random
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..._shapes import Float
from ...model import Reference
from ...text import Qwen3, Tokenizer, tokenize, tokenize_chunks
from ...training.encoded_example import EncodedExample, EncodedPicture, Seen

Words = Callable[[int, random.Random], str]  # of the example at an index
NO_SPREAD = float("-inf")  # log-variance of a latent that is what it is


class DrawnScenes:
    """Pictures, of one size or of several, and captions."""

    def __init__(
        self, latents: Sequence[Float[Tensor, "z h w"]] | Tensor, words: Words, text: Qwen3, tokenizer: Tokenizer
    ) -> None:
        self.latents, self.words, self.text, self.tokenizer = latents, words, text, tokenizer

    def __len__(self) -> int:
        return len(self.latents)

    def drawn(self, indices: Sequence[int], generator: torch.Generator) -> list[EncodedExample]:
        """Pictures, each with one caption."""
        words = words_of(self.words, indices, generator)
        captions = self.read(words)
        return [EncodedExample(exactly(self.latents[at]), (each,)) for at, each in zip(indices, captions, strict=True)]

    @torch.no_grad()
    def read(self, words: Sequence[str]) -> list[Float[Tensor, "_ f"]]:
        """Features of captions."""
        return list(self.text.encode([tokenize(self.tokenizer, each).ids for each in words]))


class DrawnEdits:
    """Pictures, what was there before, and instructions; the vision encoder's features may be left out."""

    def __init__(
        self,
        targets: Float[Tensor, "n z h w"],
        references: Float[Tensor, "n r z h w"],
        features: Float[Tensor, "n r u v s"] | None,
        words: Words,
        text: Qwen3,
        tokenizer: Tokenizer,
    ) -> None:
        self.targets, self.references, self.features, self.words = targets, references, features, words
        self.text, self.tokenizer = text, tokenizer
        *self.before, self.no_caption, self.after = self.read("")

    def __len__(self) -> int:
        return len(self.targets)

    def drawn(self, indices: Sequence[int], generator: torch.Generator) -> list[EncodedExample]:
        """Pictures, each with one instruction about those that are looked at."""
        words = words_of(self.words, indices, generator)
        instructions = self.read_instructions(words)
        return [
            EncodedExample(exactly(self.targets[at]), (each,), self.seen(at))
            for at, each in zip(indices, instructions, strict=True)
        ]

    def seen(self, at: int) -> Seen:
        """What the example at an index looks at."""
        pictures = [
            Reference(latent, None if self.features is None else self.features[at, number])
            for number, latent in enumerate(self.references[at])
        ]
        return Seen(tuple(pictures), tuple(self.before), self.after, self.no_caption)

    @torch.no_grad()
    def read(self, words: str) -> list[Float[Tensor, "_ f"]]:
        """Features of all chunks of a prompt."""
        chunks = tokenize_chunks(self.tokenizer, words, self.references.shape[1])
        return [self.text.encode([chunk.ids])[0] for chunk in chunks]

    @torch.no_grad()
    def read_instructions(self, words: Sequence[str]) -> list[Float[Tensor, "_ f"]]:
        """Features of the chunks that have the words."""
        n = self.references.shape[1]
        return list(self.text.encode([tokenize_chunks(self.tokenizer, each, n)[n].ids for each in words]))


def words_of(words: Words, indices: Sequence[int], generator: torch.Generator) -> list[str]:
    """What is said of each example; all that is random comes from the generator."""
    rng = random.Random(int(torch.randint(2**31, (1,), generator=generator)))
    return [words(index, rng) for index in indices]


def exactly(latent: Float[Tensor, "z h w"]) -> EncodedPicture:
    """A latent without a spread."""
    return EncodedPicture(latent, torch.full_like(latent, NO_SPREAD))
