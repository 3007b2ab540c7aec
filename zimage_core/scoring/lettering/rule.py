"""A rule for lettering: what was asked for and what was read in, a measurement out; and how a suite sums many up."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..score import Measurement, Request

NOTHING_ASKED = "no text was asked for: name the texts that should be readable, or put them in quotes in the prompt"


@dataclass(frozen=True, kw_only=True)
class LetteringRule:
    """Compares the lines that a reader found with a request; pure, so that any reader's lines can be judged again."""

    name: str
    measure: Callable[[Request, Sequence[str]], Measurement]
    pool: Callable[[Sequence[Measurement]], float | None]  # one number for a suite, as its authors pool pictures
    higher_is_better: bool = True


def pooled_share(part: str, whole: str) -> Callable[[Sequence[Measurement]], float | None]:
    """Sums two parts over all pictures before dividing, so that long texts weigh more; None where nothing was read."""

    def pool(measurements: Sequence[Measurement]) -> float | None:
        read = [each.parts for each in measurements if each.value is not None]
        total = sum(parts[whole] for parts in read)
        return sum(parts[part] for parts in read) / total if total else None

    return pool


def pooled_mean(measurements: Sequence[Measurement]) -> float | None:
    """The mean of the pictures that were read; None where none was."""
    values = [each.value for each in measurements if each.value is not None]
    return sum(values) / len(values) if values else None
