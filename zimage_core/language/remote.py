"""A language model at an address that a person typed: llama.cpp, vLLM, Ollama, LM Studio, a hosted one."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..chat_answer import Answer
from ..chat_server import ChatServer
from ..data_url import data_url
from .back_end import Question, Text
from .chat import END_THINK, THINK, split_thought


@dataclass(frozen=True)
class RemoteBackEnd:
    """Asks a server, whose thought comes in a field of its own or in marks."""

    server: ChatServer
    reads_instructions: bool = True
    sees: bool = True  # a server whose model does not says so itself

    @property
    def name(self) -> str:
        """The model and where it is."""
        return f"{self.server.name} at {self.server.address}"

    def write(self, question: Question) -> Iterator[Text]:
        """A thought, where the model told one, then the answer. Raises `ChatServerError` with one sentence."""
        thinking = question.budgets.thought > 0
        pieces = self.server.stream(
            [
                *([{"role": "system", "content": question.instruction}] if question.instruction else []),
                {"role": "user", "content": content_of(question)},
            ],
            tokens=question.budgets.thought + question.budgets.answer,
            temperature=question.sampling.temperature,
            seed=question.seed,
            is_thinking=thinking,
        )
        return texts_of(pieces, may_think=thinking)


def texts_of(pieces: Iterable[Answer], *, may_think: bool) -> Iterator[Text]:
    """Thought and answer as they come; words that a closing mark might still make a thought are held back."""
    held, is_answer = "", False
    for piece in pieces:
        if piece.thought:
            yield Text("thought", piece.thought)
            is_answer = True
        held += piece.text
        if not is_answer and END_THINK not in held and (may_think or is_thought(held)):
            continue
        yield from _split(held, is_answer=is_answer)
        is_answer, held = is_answer or bool(held), ""
    yield from _split(held, is_answer=is_answer)


def is_thought(begun: str) -> bool:
    """Whether a text begins, or may begin, with the mark of a thought."""
    return begun.lstrip().startswith(THINK) or THINK.startswith(begun.lstrip())


def _split(text: str, *, is_answer: bool) -> Iterator[Text]:
    thought, answer = ("", text) if is_answer else split_thought(text)
    if thought:
        yield Text("thought", thought)
    if answer:
        yield Text("answer", answer)


def content_of(question: Question) -> str | list[dict[str, Any]]:
    """The prompt, after the pictures it is about; a text alone where there are none, as some servers read only that."""
    if not question.pictures:
        return question.prompt
    shown = [{"type": "image_url", "image_url": {"url": data_url(picture)}} for picture in question.pictures]
    return [*shown, {"type": "text", "text": question.prompt}]
