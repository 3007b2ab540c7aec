"""Several sets of examples in one run, each with its share.

The run's examples are numbered, and a rule that knows nothing but the numbers deals them out to the sets. So every
stretch of a run has the shares as nearly as whole examples allow, each set goes through epochs of its own, and a run
that goes on finds every set where it was.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import torch

from .encoded_example import EncodedExample
from .loop.order import examples_at


@runtime_checkable
class DrawnExamples(Protocol):
    """Examples of which something, such as the words of their captions, is drawn anew for every step."""

    def __len__(self) -> int: ...

    def drawn(self, indices: Sequence[int], generator: torch.Generator) -> list[EncodedExample]:
        """Those at `indices`; what is random comes from the generator."""
        ...


class Part(NamedTuple):
    """One set of a mixture."""

    examples: Sequence[EncodedExample] | DrawnExamples
    weight: float = 1.0
    shift: float | Literal["dynamic"] | None = None  # of its noise levels; None: as of the whole run

    def taken(self, indices: Sequence[int], generator: torch.Generator) -> list[EncodedExample]:
        """The examples at some places of the set."""
        if isinstance(self.examples, DrawnExamples):
            return self.examples.drawn(indices, generator)
        return [self.examples[index] for index in indices]


@dataclass(frozen=True)
class Mixture:
    """Sets, none of them empty, and which of their examples a step sees."""

    parts: tuple[Part, ...]

    def __len__(self) -> int:
        return sum(len(part.examples) for part in self.parts)

    def chosen(self, step: int, batch: int, seed: int) -> Iterator[tuple[Part, list[int]]]:
        """Indices of a step's examples, by their sets; all together there are `batch`."""
        weights = [part.weight for part in self.parts]
        before, after = dealt(step * batch, weights), dealt((step + 1) * batch, weights)
        for number, (part, first, end) in enumerate(zip(self.parts, before, after, strict=True)):
            yield part, examples_at(range(first, end), len(part.examples), seed + number)


def dealt(n: int, weights: Sequence[float]) -> list[int]:
    """How many of a run's first `n` examples each set gives.

    The first set has its share rounded down, the next one its share of what is left, and so on: no count ever falls as
    `n` grows, and each is within one of what it should be but for what those before it were rounded.
    """
    counts: list[int] = []
    left, total = n, sum(map(Fraction, weights))
    for weight in map(Fraction, weights):  # exact, or a sum of rounded weights might miss an example
        counts.append(math.floor(left * weight / total))
        left, total = left - counts[-1], total - weight
    return counts
