"""Several prompts for one request that differ, so that a distilled model's pictures do: its seeds alone change little.

The model's makers advise to vary the prompt. Each text is written with a seed of its own by a model that is told the
earlier ones; one that comes out nearly the same is written again.
"""

from collections.abc import Callable
from dataclasses import replace

from .wish import Enhanced, Wish

TRIES = 3  # for a variation that is like an earlier one
MOST_ALIKE = 0.85  # of likeness, from which two texts count as the same
APART = 1_000_003  # between the seeds of two variations, so that the next queue's are others; within 32 bits
LETTERS = 3  # of a piece that two texts may share


def variations(write: Callable[[Wish], Enhanced], wish: Wish, count: int) -> list[Enhanced]:
    """At most `count` texts that differ; one where the request stays as it is."""
    found = [write(wish)]
    if not found[0].changed:
        return found
    for number in range(1, count):
        earlier = tuple(each.prompt for each in found)
        for attempt in range(TRIES):
            seed = (wish.seed + APART * number + 2 * attempt) % 2**64  # one higher is the second answer's
            written = write(replace(wish, seed=seed, unlike=earlier))
            if written.changed and max(likeness(written.prompt, each) for each in earlier) < MOST_ALIKE:
                found.append(written)
                break
    return found


def likeness(first: str, second: str) -> float:
    """Share of the pieces of three letters that two texts have in common, 0 to 1, without regard to case."""
    pieces = [_pieces(first), _pieces(second)]
    return len(pieces[0] & pieces[1]) / max(1, len(pieces[0] | pieces[1]))


def _pieces(text: str) -> set[str]:
    letters = "".join(text.casefold().split())
    return {letters[at : at + LETTERS] for at in range(max(1, len(letters) - LETTERS + 1))}
