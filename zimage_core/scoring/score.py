"""What a score is: pictures and what was asked of them in, one measurement per picture out.

A metric of an evaluation and a reward of training are the same thing, written once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from PIL import Image


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a picture was asked to show; a score reads what it needs and says where that is missing."""

    prompt: str = ""
    lettering: tuple[str, ...] = ()  # texts that should be readable in the picture
    language: str = "en"  # of the lettering: "en" or "zh"
    rules: Mapping[str, object] = field(default_factory=dict[str, object])  # a suite's own record, as GenEval's


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """A picture's number with its parts, or why there is none; what was not read is never counted as zero."""

    value: float | None
    parts: Mapping[str, float | int] = field(default_factory=dict[str, float | int])  # counts are int
    problem: str = ""  # one sentence where `value` is None
    notes: str = ""  # what was seen, in words: the lines that were read, the demand that failed

    @classmethod
    def missing(cls, problem: str) -> "Measurement":
        """No number, because of `problem`."""
        return cls(value=None, problem=problem)


NO_PROMPT = Measurement.missing("no prompt was given to compare the picture with")


@runtime_checkable
class Score(Protocol):
    """Measures pictures; the order and the size of a batch change no number."""

    @property
    def name(self) -> str:
        """What is measured: "word accuracy"."""
        ...

    @property
    def reader(self) -> str:
        """Who measures it, with a version: "PP-OCRv6 (rapidocr 3.10)"; two readers are two columns."""
        ...

    @property
    def higher_is_better(self) -> bool:
        """Whether a larger value is a better picture."""
        ...

    def __call__(self, pictures: Sequence[Image.Image], requests: Sequence[Request]) -> list[Measurement]:
        """One measurement for each RGB picture and its request, in their order."""
        ...


@runtime_checkable
class OfWholePrompts(Protocol):
    """A score whose numbers depend on a prompt's other pictures, so that it is given all of them, with one request."""

    @property
    def least_pictures(self) -> int:
        """With fewer of a prompt there is no number."""
        ...


def title(score: Score) -> str:
    """A score's column: "word accuracy (PP-OCRv6)"."""
    return f"{score.name} ({score.reader})"
