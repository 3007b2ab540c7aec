"""Decides a prompt's choices by seed: the same prompt, files and seed give the same text on every machine.

Each decision takes one `random()` of Python's Mersenne Twister, the one method whose sequence Python promises to keep,
from left to right; a text that was not chosen takes none.
"""

from bisect import bisect
from collections.abc import Callable, Sequence
from itertools import accumulate
from random import Random

from .choices import MOST_DEPTH, Choice, Parts, Wildcard, parse, weight_of

MOST_DECISIONS = 1000
MOST_CHARACTERS = 100_000  # drawn from wildcard files

LinesOf = Callable[[str], Sequence[str]]


def resolve(text: str, seed: int, lines_of: LinesOf) -> str:
    """A prompt with every choice decided and every wildcard replaced by a line of `lines_of(name)`.

    `seed` is not negative. Raises ValueError with a sentence for a prompt that cannot be resolved; what `lines_of`
    raises passes through.
    """
    return _Decisions(Random(seed), lines_of).text_of(parse(text), ())


class _Decisions:
    """One prompt's decisions; `open_names` are the wildcards that the text at hand stands in."""

    def __init__(self, random: Random, lines_of: LinesOf) -> None:
        self.random, self.lines_of = random, lines_of
        self.n_decisions = self.n_characters = 0

    def text_of(self, parts: Parts, open_names: tuple[str, ...]) -> str:
        texts: list[str] = []
        for part in parts:
            if isinstance(part, Choice):
                texts.append(self.chosen(part, open_names))
            elif isinstance(part, Wildcard):
                texts.append(self.line(part.name, open_names))
            else:
                texts.append(part)
        return "".join(texts)

    def chosen(self, choice: Choice, open_names: tuple[str, ...]) -> str:
        left, picked = list(choice.options), list[Parts]()
        for _ in range(choice.count):
            picked.append(left.pop(self.index([each.weight for each in left])).parts)
        return choice.separator.join(self.text_of(parts, open_names) for parts in picked)

    def line(self, name: str, open_names: tuple[str, ...]) -> str:
        if name in open_names:
            raise ValueError(f"The wildcard {name} leads back to itself: {' > '.join((*open_names, name))}.")
        if len(open_names) == MOST_DEPTH // 4:
            raise ValueError(f"More than {MOST_DEPTH // 4} wildcards lead to one another: {' > '.join(open_names)}.")
        weights, lines = zip(*map(weight_of, self.lines_of(name)), strict=True)
        line = lines[self.index(weights)]
        self.n_characters += len(line)
        if self.n_characters > MOST_CHARACTERS:
            raise ValueError(f"The wildcards of this prompt grow beyond {MOST_CHARACTERS} characters; use fewer.")
        try:
            parts = parse(line)
        except ValueError as error:
            raise ValueError(f"The line {line[:80]!r} of the wildcard {name} cannot be read. {error}") from error
        return self.text_of(parts, (*open_names, name))

    def index(self, weights: Sequence[float]) -> int:
        """Which of these is chosen, each as likely as its share of the weights."""
        self.n_decisions += 1
        if self.n_decisions > MOST_DECISIONS:
            raise ValueError(f"This prompt has more than {MOST_DECISIONS} choices to decide; use fewer.")
        until = list(accumulate(weights))
        if until[-1] == 0:
            raise ValueError("Every text of a choice has weight 0: give one of them a weight above 0.")
        return bisect(until, self.random.random() * until[-1], 0, len(until) - 1)
