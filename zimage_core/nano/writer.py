"""nano's own language model: it completes a request and solves small riddles, thinking aloud.

The 6B model's encoder is a language model; nano's was trained to read captions only, and draws by exactly those
weights. So nano writes with a second set of the same architecture. It reads no instruction: it knows one task.
"""

from collections.abc import Iterator
from pathlib import Path

import torch

from ..checkpoints import load_text_encoder
from ..language import LanguageModel, load_language_model
from ..language.back_end import LoadedModel, Question, Text
from ..text import load_detokenizer, load_tokenizer
from .files import FOLDER, TOKENIZER
from .kept_facts import FactsOfScenes

WRITER = Path("writer/model.safetensors")
NAME = "nano's writer"


def written_request(text: str, language: str) -> str:
    """What the writer reads in place of an instruction: the language to answer in, then the request."""
    return f"{language}: {text}"


class NanoWriter(FactsOfScenes):
    """A back end that answers a request for one of nano's scenes."""

    name = NAME
    reads_instructions = False
    sees = False

    def __init__(self, model: LanguageModel, tokenizer: Path = FOLDER / TOKENIZER) -> None:
        self._loaded = LoadedModel(NAME, model, load_tokenizer(tokenizer), load_detokenizer(tokenizer))

    def write(self, question: Question) -> Iterator[Text]:
        """A thought and a caption; instructions are not read."""
        own = Question(
            prompt=written_request(question.prompt, question.language),
            language=question.language,
            budgets=question.budgets,
            sampling=question.sampling,
            seed=question.seed,
        )
        return self._loaded.write(own)


def load_writer(folder: Path = FOLDER) -> NanoWriter:
    """The writer in the built-in model's folder, or in one that a recipe made."""
    return NanoWriter(load_writing_model(folder), folder / TOKENIZER)


def load_writing_model(folder: Path = FOLDER) -> LanguageModel:
    """The writer's network alone, in float32."""
    file = folder / WRITER
    return load_language_model(load_text_encoder(file, torch.float32), file, torch.float32)
