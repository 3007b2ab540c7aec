"""A language model at an address that a person typed: llama.cpp, vLLM, Ollama, LM Studio, a hosted one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..chat_server import ChatServer
from ..data_url import data_url
from .back_end import Question, Text
from .chat import split_thought


@dataclass(frozen=True)
class RemoteBackEnd:
    """Asks a server, which answers at once when it is done; its thought comes in a field of its own or in marks."""

    server: ChatServer
    reads_instructions: bool = True
    sees: bool = True  # a server whose model does not says so itself

    @property
    def name(self) -> str:
        """The model and where it is."""
        return f"{self.server.name} at {self.server.address}"

    def write(self, question: Question) -> Iterator[Text]:
        """A thought, where the model told one, then the answer. Raises `ChatServerError` with one sentence."""
        answer = self.server.ask(
            [
                *([{"role": "system", "content": question.instruction}] if question.instruction else []),
                {"role": "user", "content": content_of(question)},
            ],
            tokens=question.budgets.thought + question.budgets.answer,
            temperature=question.sampling.temperature,
            seed=question.seed,
            is_thinking=question.budgets.thought > 0,
        )
        thought, text = split_thought(answer.text)
        if thought := answer.thought or thought:
            yield Text("thought", thought)
        yield Text("answer", text)


def content_of(question: Question) -> str | list[dict[str, Any]]:
    """The prompt, after the pictures it is about; a text alone where there are none, as some servers read only that."""
    if not question.pictures:
        return question.prompt
    shown = [{"type": "image_url", "image_url": {"url": data_url(picture)}} for picture in question.pictures]
    return [*shown, {"type": "text", "text": question.prompt}]
