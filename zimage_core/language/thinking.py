"""A thought, then an answer, each with its own budget of tokens.

A thought that does not end by itself is closed for the model, which is then asked for its answer once; so a budget too
small for a thought costs quality, never the answer, and a thought never becomes the prompt.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from .generate import Writer


@dataclass(frozen=True, kw_only=True)
class Budgets:
    """Tokens a thought and an answer may have; a thought of none is left out."""

    thought: int = 1024
    answer: int = 512

    def __post_init__(self) -> None:
        if self.thought < 0 or self.answer < 1:
            raise ValueError(
                f"budgets of {self.thought} tokens to think and {self.answer} to answer: the answer needs one"
            )


@dataclass(frozen=True, kw_only=True)
class Marks:
    """Token ids around a thought, and those that end a text."""

    open: Sequence[int]
    close: Sequence[int]  # as a model writes it
    forced_close: Sequence[int]  # what is written for a model whose thought does not end, the line break included
    stop: Sequence[int]


Kind = Literal["thought", "answer"]


class Piece(NamedTuple):
    """One token, and what it is part of."""

    kind: Kind
    token: int


def think_and_answer(writer: Writer, budgets: Budgets, marks: Marks) -> Iterator[Piece]:
    """The tokens of a thought, then of an answer, as they are written."""
    if budgets.thought:
        writer.insert(marks.open)
        is_closed = False
        for token in _thought(writer, budgets.thought, marks):
            if token is None:
                is_closed = True
            else:
                yield Piece("thought", token)
        if not is_closed:
            writer.insert(marks.forced_close)
    for token in writer.until(marks.stop, budgets.answer):
        yield Piece("answer", token)


def _thought(writer: Writer, limit: int, marks: Marks) -> Iterator[int | None]:
    """A thought's tokens without the mark that closes it; None at last if that mark was written.

    Tokens that may be the beginning of the mark are held back until it is clear whether they are.
    """
    held: list[int] = []
    for token in writer.until(marks.stop, limit):
        held.append(token)
        if tuple(held[-len(marks.close) :]) == tuple(marks.close):
            yield from held[: -len(marks.close)]
            yield None
            return
        while len(held) >= len(marks.close):
            yield held.pop(0)
    yield from held
