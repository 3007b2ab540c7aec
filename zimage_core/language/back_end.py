"""Who writes: one protocol for the loaded encoder, an address, and whatever else answers a question in words."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol, runtime_checkable

from PIL import Image

from ..text.prompt import Detokenizer, Tokenizer
from .chat import END_OF_TEXT, END_THINK, THINK, chat
from .generate import Writer
from .language_model import LanguageModel
from .text_stream import TextStream
from .thinking import Budgets, Kind, Marks, think_and_answer
from .token_choice import Sampling


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of a language model."""

    prompt: str
    pictures: tuple[Image.Image, ...] = ()  # looked at before the prompt is read; RGB
    instruction: str = ""  # the system prompt
    language: str = "en"  # of the answer; the instruction says it too
    budgets: Budgets = field(default_factory=Budgets)
    sampling: Sampling = field(default_factory=Sampling)
    seed: int = 0


class Text(NamedTuple):
    """Some characters, and what they are part of."""

    kind: Kind
    text: str


@runtime_checkable
class BackEnd(Protocol):
    """Answers questions."""

    @property
    def name(self) -> str:
        """What a cache and a record call it; another name is another model."""
        ...

    @property
    def reads_instructions(self) -> bool:
        """Whether it does what it is told; nano's writer has one task."""
        ...

    @property
    def sees(self) -> bool:
        """Whether it looks at a question's pictures; one that does not is never asked about any."""
        ...

    def write(self, question: Question) -> Iterator[Text]:
        """A thought's characters, then an answer's, as they come; to cancel is to stop taking them."""
        ...


@dataclass(frozen=True)
class Reply:
    """A whole thought and a whole answer, without the space around them."""

    thought: str
    answer: str


def ask(back_end: BackEnd, question: Question, on_text: Callable[[Text], object] | None = None) -> Reply:
    """Wait for the whole reply; `on_text` is told each piece, and cancels by raising.

    Raises `ValueError` with one sentence where pictures are shown to a model that does not see.
    """
    if question.pictures and not back_end.sees:
        raise ValueError(f"{back_end.name} does not see pictures; choose a model that does, such as a Qwen-VL")
    parts: dict[str, list[str]] = {"thought": [], "answer": []}
    for piece in back_end.write(question):
        if on_text is not None:
            on_text(piece)
        parts[piece.kind].append(piece.text)
    return Reply("".join(parts["thought"]).strip(), "".join(parts["answer"]).strip())


def asked_again(question: Question, answer: str, faults: Sequence[str]) -> Question:
    """The same question with the first answer and what was wrong with it."""
    told = f"{question.prompt}\n\n(Your first answer was: {answer}\nIt cannot be used: {'; '.join(faults)}.)"
    return replace(question, prompt=told, seed=(question.seed + 1) % 2**64)


@dataclass(frozen=True)
class LoadedModel:
    """A language model in memory, with its vocabulary."""

    name: str
    model: LanguageModel
    tokenize: Tokenizer
    detokenize: Detokenizer
    reads_instructions: bool = True
    sees: bool = False

    def write(self, question: Question) -> Iterator[Text]:
        """Qwen3's chat; a thought only where its budget has room for one."""
        thinking = question.budgets.thought > 0
        prompt = self.tokenize(chat(question.prompt, question.instruction, thinking=thinking))
        writer = Writer(self.model, prompt, question.sampling, question.seed)
        streams = {"thought": TextStream(self.detokenize), "answer": TextStream(self.detokenize)}
        for piece in think_and_answer(writer, question.budgets, self._marks()):
            if new := streams[piece.kind].add(piece.token):
                yield Text(piece.kind, new)

    def _marks(self) -> Marks:
        return Marks(
            open=self.tokenize(f"{THINK}\n"),
            close=self.tokenize(END_THINK),
            forced_close=self.tokenize(f"\n{END_THINK}\n\n"),
            stop=[token for mark in END_OF_TEXT for token in self.tokenize(mark)],
        )
