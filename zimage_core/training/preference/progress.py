"""What is told of a preference run: after each step, and of parts of steps that take long."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..loop.runner import Progress

# (what: "drawn", "rated" or "learned", how many of how many); whatever it raises ends the run, which can go on later
OnPart = Callable[[str, int, int], None]


def ignore(what: str, done: int, of: int) -> None:
    """Nobody looks."""


@dataclass(frozen=True, kw_only=True)
class PreferenceProgress(Progress):
    """A step, with the means over its pictures.

    `rewards` are each score's own numbers before anything was learned from them, under the score's name; `told_apart`
    is the share of prompts whose pictures differed in reward, `kl` the distance to the base. Of pairs, `preferred` is
    the share in which the policy already leans to the chosen picture more than the base does.
    """

    rewards: Mapping[str, float] = field(default_factory=dict[str, float])
    told_apart: float | None = None
    kl: float | None = None
    preferred: float | None = None
