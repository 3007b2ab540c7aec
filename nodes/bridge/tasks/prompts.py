"""Prompts through whatever CLIP the graph holds, ours or the stock loader's."""

from typing import Any

from torch import Tensor

from ....zimage_core.config import MAX_CAPTION_TOKENS
from ....zimage_core.text import truncate
from ..loading import prompt_cache as kept
from ..loading.text import TOKENS_KEY


def encode(
    clip: Any, prompt: str, *, is_cut: bool, template: str | None = None, remember: str = kept.MEMORY
) -> tuple[Any, str]:
    """Conditioning of a prompt, in its own template or another one, and a sentence about its tokens."""
    if clip is None:
        raise ValueError(
            "No text encoder is connected: the checkpoint loaded here holds none. Use Z-Image Load Text Encoder."
        )
    prompt = whole(prompt)
    tokens = clip.tokenize(prompt, llama_template=template) if template else clip.tokenize(prompt)
    if TOKENS_KEY not in tokens:
        raise ValueError(
            f"This CLIP is {' + '.join(tokens)}, but Z-Image reads prompts with Qwen3-4B. "
            "Load qwen_3_4b.safetensors with Z-Image Load Text Encoder, or with the stock Load CLIP of type lumina2."
        )
    pairs = tokens[TOKENS_KEY][0]
    cut = truncate(tuple(range(len(pairs))), MAX_CAPTION_TOKENS if is_cut else None)
    tokens[TOKENS_KEY] = [pairs[: len(cut.ids)]]
    return kept.encode(clip, tokens, remember), cut.describe()


def whole(prompt: str) -> str:
    """The prompt with a question mark for every half of an emoji, which a page can cut out and tokenizers refuse."""
    return prompt.encode("utf-8", "replace").decode()


def features(clip: Any, text: str) -> Tensor:
    """Features (1, n, f) of a text in no template at all."""
    [[encoded, _], *_], _ = encode(clip, text, is_cut=False, template="{}")
    return encoded
