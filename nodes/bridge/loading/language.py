"""Writing text with the text encoder that a CLIP socket carries, ours or the stock loader's."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import comfy.ops
import torch
from comfy import model_management
from comfy.text_encoders.z_image import ZImageTokenizer
from comfy.utils import ProgressBar
from torch import Tensor
from torch.nn.functional import linear

from ....zimage_core.checkpoints import TEXT_ENCODER
from ....zimage_core.config import NANO_TEXT
from ....zimage_core.language import GREEDY, LanguageHead, LanguageModel, Sampling, Writer, load_language_head
from ....zimage_core.language.back_end import BackEnd, LoadedModel, Question, Text
from ....zimage_core.language.chat import chat, split_thought
from ....zimage_core.nano.writer import NAME, load_writer
from .files import BUILT_IN, path_of
from .prompt_cache import IDENTITY
from .text import TOKENS_KEY, EmbeddingTable, TextEncoder, is_plain

ROWS = 16384  # of the embedding table that are cast at a time
SETTINGS = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty", "presence_penalty")
ENDS = {"qwen": (151645, 151643), "nano": (2, 0)}  # the end of a turn, and of all text


class ComfyLanguageModel(LanguageModel):
    """The language model of a CLIP, on the device ComfyUI loaded it to; weights are cast as ComfyUI casts them."""

    def __init__(self, encoder: Any, head: LanguageHead, device: torch.device) -> None:
        super().__init__(encoder, head)
        self._device = device
        self._dtype = torch.bfloat16 if model_management.should_use_bf16(device) else torch.float32

    def embed(self, ids: Sequence[int]) -> Tensor:
        """Rows of the embedding table (1, n, d)."""
        table = EmbeddingTable(self.encoder.model.embed_tokens)
        return table(torch.tensor([list(ids)], device=self._device), out_dtype=self._dtype)

    def unembed(self, x: Tensor) -> Tensor:
        """Logits (b, n, v): a plain table is read where it is, a part of its rows at a time."""
        layer: Any = self.encoder.model.embed_tokens
        if is_plain(layer):
            here = x.to(layer.weight.device)
            return torch.cat([linear(here, rows.to(here.dtype)) for rows in layer.weight.split(ROWS)], dim=-1)
        weight, _, stream = comfy.ops.cast_bias_weight(layer, x, offloadable=True)
        out = linear(x, weight)
        comfy.ops.uncast_bias_weight(layer, weight, None, stream)
        return out


def language_model(text_encoder: TextEncoder, device: torch.device) -> LanguageModel:
    """The model of an encoder that is loaded on `device`; the last layer, 100 MB, is read from the encoder's file.

    It is freed with what is returned: the encoder itself stays as it was.
    """
    encoder = getattr(text_encoder, TOKENS_KEY).transformer
    return ComfyLanguageModel(encoder, load_language_head(text_encoder.file), device)


def generate(
    text_encoder: TextEncoder, tokens: Any, max_length: int, seed: int | None, settings: dict[str, Any]
) -> list[int]:
    """For ComfyUI's own Generate Text: the tokens after `tokens`, its pairs of id and weight, drawn as it says."""
    rows = next(iter(tokens.values())) if isinstance(tokens, dict) else tokens
    encoder = getattr(text_encoder, TOKENS_KEY)
    sampling = Sampling(**{name: settings[name] for name in SETTINGS if name in settings})
    writer = Writer(
        language_model(text_encoder, encoder.execution_device),
        [int(pair[0]) for pair in rows[0]],
        sampling if settings.get("do_sample", True) else GREEDY,
        seed or 0,
    )
    ends = ENDS["nano" if encoder.transformer.config.vocab_size == NANO_TEXT.vocab_size else "qwen"]
    progress, written = ProgressBar(max_length), list[int]()
    for _ in range(max_length):
        model_management.throw_exception_if_processing_interrupted()
        written.append(writer.next_token())
        progress.update(1)
        if written[-1] in ends:
            break
    return written


def back_end_of(clip: Any) -> BackEnd:
    """Who answers questions with a CLIP; the built-in encoder's is a model of its own, a few megabytes."""
    inner = clip.cond_stage_model
    if not isinstance(inner, TextEncoder):
        return StockClip(clip)
    return BuiltIn() if inner.file == path_of(TEXT_ENCODER, BUILT_IN) else OurClip(clip)


class BuiltIn:
    """nano's writer, on the CPU."""

    name = NAME

    def write(self, question: Question) -> Iterator[Text]:
        """The answer as it comes; an interrupted prompt ends within a token."""
        for text in load_writer().write(question):
            model_management.throw_exception_if_processing_interrupted()
            yield text


@dataclass(frozen=True)
class OurClip:
    """The encoder of our loader: tokens come one at a time, thoughts have their own budget."""

    clip: Any

    @property
    def name(self) -> str:
        """The file's identity, and the LoRAs on it."""
        return f"{getattr(self.clip.cond_stage_model, IDENTITY)} {self.clip.patcher.patches_uuid}"

    def write(self, question: Question) -> Iterator[Text]:
        """The answer as it comes; an interrupted prompt ends within a token."""
        self.clip.load_model()
        model = language_model(self.clip.cond_stage_model, self.clip.patcher.load_device)
        vocabulary = getattr(self.clip.tokenizer, TOKENS_KEY).tokenizer
        loaded = LoadedModel(
            self.name,
            model,
            tokenize=lambda text: vocabulary(text, add_special_tokens=False)["input_ids"],
            detokenize=lambda ids: vocabulary.decode(ids, skip_special_tokens=True),
        )
        for text in loaded.write(question):
            model_management.throw_exception_if_processing_interrupted()
            yield text


@dataclass(frozen=True)
class StockClip:
    """The stock loader's encoder, whatever it is: it answers at once, when it is done."""

    clip: Any

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
