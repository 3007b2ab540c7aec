"""Encoding prompts with any CLIP of the node graph, from this pack's loader or the stock one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ....zimage_core.config import MAX_CAPTION_TOKENS, MOST_CAPTION_TOKENS
from ....zimage_core.text import PromptTokens, truncate
from ..loading import prompt_cache
from ..loading.language_model import TOKENS_KEY
from ..loading.text import prompt_tokenizer

TOKEN_TEXTS = "zimage_token_texts"  # in conditioning: its `TokenTexts`


@dataclass(frozen=True)
class TokenTexts:
    """What the tokenizer calls each token of a prompt; None for one without text.

    Not iterable: ComfyUI's trainer walks through every sequence in conditioning, and without end through a string.
    """

    texts: tuple[str | None, ...]


def encode(
    clip: Any, prompt: str, *, is_cut: bool, template: str | None = None, remember: str = prompt_cache.MEMORY
) -> tuple[Any, PromptTokens]:
    """CONDITIONING of a prompt in Qwen3's chat template or in `template`, and its tokens.

    `is_cut` truncates at 512 tokens, else the model's last position does; `remember` is one of the cache choices of
    `prompt_cache`.
    """
    if clip is None:
        raise ValueError(
            "No text encoder is connected: the checkpoint loaded here holds none. Use Z-Image Load Text Encoder."
        )
    prompt = replace_lone_surrogates(prompt)
    tokens = clip.tokenize(prompt, llama_template=template) if template else clip.tokenize(prompt)
    if TOKENS_KEY not in tokens:
        raise ValueError(
            f"This CLIP is {' + '.join(tokens)}, but Z-Image reads prompts with Qwen3-4B. "
            "Load qwen_3_4b.safetensors with Z-Image Load Text Encoder, or with the stock Load CLIP of type lumina2."
        )
    pairs = tokens[TOKENS_KEY][0]
    cut = truncate(tuple(range(len(pairs))), MAX_CAPTION_TOKENS if is_cut else MOST_CAPTION_TOKENS)
    tokens[TOKENS_KEY] = [pairs[: len(cut.ids)]]
    texts = TokenTexts(_token_texts(clip, tokens[TOKENS_KEY][0]))
    conditioning = prompt_cache.encode(clip, tokens, remember)
    return [[encoded, {**values, TOKEN_TEXTS: texts}] for encoded, values in conditioning], cut


def _token_texts(clip: Any, pairs: Sequence[Any]) -> tuple[str | None, ...]:
    """The tokenizer's own string of each token of a CLIP's (id or embedding, weight) pairs."""
    tokenizer = getattr(clip.tokenizer, TOKENS_KEY).tokenizer
    return tuple(tokenizer.convert_ids_to_tokens(pair[0]) if isinstance(pair[0], int) else None for pair in pairs)


def token_ids(clip: Any, prompt: str) -> list[int]:
    """The ids of all tokens of a prompt in Qwen3's chat template; -1 for each vector of a textual inversion."""
    return [token if isinstance(token, int) else -1 for token, *_ in clip.tokenize(prompt)[TOKENS_KEY][0]]


def count_tokens(text: str, template: str, *, is_built_in: bool) -> int:
    """How many tokens a text in its template has for the built-in text encoder, or for Qwen3."""
    tokenizer = prompt_tokenizer(is_built_in=is_built_in)
    return len(tokenizer.tokenize_with_weights(replace_lone_surrogates(text), llama_template=template)[TOKENS_KEY][0])


def replace_lone_surrogates(prompt: str) -> str:
    """The prompt with "?" for each lone UTF-16 surrogate: a page can send half an emoji, and tokenizers raise on it."""
    return prompt.encode("utf-8", "replace").decode()


def embed(clip: Any, text: str) -> Tensor:
    """Prompt embeddings (1, n, d) of a text without a template."""
    [[embeddings, _], *_], _ = encode(clip, text, is_cut=False, template="{}")
    return embeddings
