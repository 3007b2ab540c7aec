"""Our text encoder inside a CLIP as a language model, and ComfyUI's own text generation on it."""

from collections.abc import Sequence
from typing import Any

import comfy.ops
import torch
from comfy import model_management
from comfy.utils import ProgressBar
from torch import Tensor
from torch.nn.functional import linear

from ....zimage_core.checkpoints import TEXT_ENCODER
from ....zimage_core.config import NANO_TEXT
from ....zimage_core.language import GREEDY, LanguageHead, LanguageModel, Sampling, Writer, load_language_head
from ....zimage_core.nano.writer import load_writing_model
from .embedding_table import EmbeddingTable, is_plain
from .files import BUILT_IN, path_of

TOKENS_KEY = "qwen3_4b"  # ComfyUI's name for the encoder inside a CLIP and in token dictionaries
ROWS = 16384  # of the embedding table that are cast at a time
SETTINGS = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty", "presence_penalty")
LEAST_PENALTY = 0.1
ENDS = {"qwen": (151645, 151643), "nano": (2, 0)}  # the end of a turn, and of all text


class ComfyLanguageModel(LanguageModel):
    """The language model of a CLIP, on the device ComfyUI loaded it to; weights are cast as ComfyUI casts them."""

    def __init__(self, encoder: Any, head: LanguageHead, device: torch.device, dtype: torch.dtype) -> None:
        super().__init__(encoder, head)
        self._device, self._dtype = device, dtype

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


def language_model(text_encoder: Any, device: torch.device) -> LanguageModel:
    """The model of an encoder that is loaded on `device`; the last layer, 100 MB, is read from the encoder's file.

    It is freed with what is returned: the encoder itself stays as it was.
    """
    encoder = getattr(text_encoder, TOKENS_KEY).transformer
    dtype = torch.bfloat16 if model_management.should_use_bf16(device) else torch.float32
    head = load_language_head(text_encoder.file, dtype).to(device)  # plain layers, which cast nothing
    return ComfyLanguageModel(encoder, head, device, dtype)


def generate(text_encoder: Any, tokens: Any, max_length: int, seed: int | None, settings: dict[str, Any]) -> list[int]:
    """For ComfyUI's own Generate Text: the tokens after `tokens`, its pairs of id and weight, drawn as it says."""
    rows = next(iter(tokens.values())) if isinstance(tokens, dict) else tokens
    encoder = getattr(text_encoder, TOKENS_KEY)
    given = {name: settings[name] for name in SETTINGS if name in settings}
    if "repetition_penalty" in given:
        given["repetition_penalty"] = max(LEAST_PENALTY, given["repetition_penalty"])  # its widget begins at 0
    sampling = Sampling(**given)
    is_built_in = text_encoder.file == path_of(TEXT_ENCODER, BUILT_IN)  # which reads; nano writes with other weights
    writer = Writer(
        load_writing_model() if is_built_in else language_model(text_encoder, encoder.execution_device),
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
