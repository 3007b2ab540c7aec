"""Writing text with the text encoder that a CLIP socket carries, ours or the stock loader's."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from comfy import model_management
from comfy.text_encoders.z_image import ZImageTokenizer

from ....zimage_core.checkpoints import TEXT_ENCODER
from ....zimage_core.language.back_end import BackEnd, LoadedModel, Question, Text
from ....zimage_core.language.chat import chat, split_thought
from ....zimage_core.nano.kept_facts import FactsOfScenes
from ....zimage_core.nano.writer import NAME, NanoWriter, load_writer
from .files import BUILT_IN, path_of
from .language_model import TOKENS_KEY, language_model
from .prompt_cache import IDENTITY
from .text import TextEncoder


def back_end_of(clip: Any) -> BackEnd:
    """Who answers questions with a CLIP; the built-in encoder's is a model of its own, a few megabytes."""
    inner = clip.cond_stage_model
    if not isinstance(inner, TextEncoder):
        return StockClip(clip)
    return BuiltIn() if inner.file == path_of(TEXT_ENCODER, BUILT_IN) else OurClip(clip)


def told_name(clip: Any, back_end: BackEnd) -> str:
    """Who writes, in words for a person: a file's name, or nano's writer, or a class of the stock loader's."""
    inner = clip.cond_stage_model
    if isinstance(back_end, BuiltIn):
        return back_end.name
    return Path(str(inner.file)).name if isinstance(inner, TextEncoder) else type(inner).__name__


def interruptible(texts: Iterator[Text]) -> Iterator[Text]:
    """An answer as it comes, which an interrupted prompt ends within a token."""
    for text in texts:
        model_management.throw_exception_if_processing_interrupted()
        yield text


class BuiltIn(FactsOfScenes):
    """nano's writer, on the CPU; read with the first question."""

    name = NAME
    reads_instructions = False
    sees = False

    @cached_property
    def _writer(self) -> NanoWriter:
        return load_writer()

    def write(self, question: Question) -> Iterator[Text]:
        """The answer as it comes."""
        return interruptible(self._writer.write(question))


@dataclass(frozen=True)
class OurClip:
    """The encoder of our loader: tokens come one at a time, thoughts have their own budget.

    What only writing needs is read with the first question and freed with this object.
    """

    clip: Any
    reads_instructions: bool = True
    sees: bool = False

    @property
    def name(self) -> str:
        """The file's identity, and the LoRAs on it."""
        return f"{getattr(self.clip.cond_stage_model, IDENTITY)} {self.clip.patcher.patches_uuid}"

    @cached_property
    def _loaded(self) -> LoadedModel:
        vocabulary = getattr(self.clip.tokenizer, TOKENS_KEY).tokenizer
        return LoadedModel(
            self.name,
            language_model(self.clip.cond_stage_model, self.clip.patcher.load_device),
            tokenize=lambda text: vocabulary(text, add_special_tokens=False)["input_ids"],
            detokenize=lambda ids: vocabulary.decode(ids, skip_special_tokens=True),
        )

    def write(self, question: Question) -> Iterator[Text]:
        """The answer as it comes."""
        self.clip.load_model()
        return interruptible(self._loaded.write(question))


@dataclass(frozen=True)
class StockClip:
    """The stock loader's encoder, whatever it is: it answers at once, when it is done."""

    clip: Any
    reads_instructions: bool = True
    sees: bool = False

    @property
    def name(self) -> str:
        """Its class and the LoRAs on it; the stock loader keeps no name of a file."""
        return f"{type(self.clip.cond_stage_model).__name__} {self.clip.patcher.patches_uuid}"

    def write(self, question: Question) -> Iterator[Text]:
        """A thought, where the answer has one, then the answer."""
        sampling, budgets = question.sampling, question.budgets
        try:
            ids = self.clip.generate(
                self._tokens(question),
                do_sample=sampling.temperature > 0,
                max_length=budgets.thought + budgets.answer,
                temperature=sampling.temperature,
                top_k=sampling.top_k,
                top_p=sampling.top_p,
                min_p=sampling.min_p,
                repetition_penalty=sampling.repetition_penalty,
                seed=question.seed,
            )
        except (AttributeError, NotImplementedError) as error:
            raise ValueError(
                f"This CLIP ({type(self.clip.cond_stage_model).__name__}) cannot write text. Load a language model, "
                "such as qwen_3_4b.safetensors with Z-Image Load Text Encoder."
            ) from error
        thought, answer = split_thought(self.clip.decode(ids, skip_special_tokens=True))
        if thought:
            yield Text("thought", thought)
        yield Text("answer", answer)

    def _tokens(self, question: Question) -> Any:
        thinking = question.budgets.thought > 0
        if isinstance(self.clip.tokenizer, ZImageTokenizer):
            text = chat(question.prompt, question.instruction, thinking=thinking)
            return self.clip.tokenize(text, llama_template="{}")
        text = "\n\n".join(filter(None, (question.instruction, question.prompt)))
        return self.clip.tokenize(text, skip_template=False, min_length=1, thinking=thinking)
