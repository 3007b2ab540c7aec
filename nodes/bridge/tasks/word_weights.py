"""Prompts with weighted words, encoded with any CLIP: the prompt, and once more without each of the words."""

from typing import Any

from ....zimage_core.text import PromptTokens, shortened
from ....zimage_core.text.word_weights import Span, parse, place_of, reweighted, without
from ..loading import prompt_cache
from . import prompts


def encode(
    clip: Any, prompt: str, *, is_cut: bool, remember: str = prompt_cache.MEMORY
) -> tuple[Any, PromptTokens, str]:
    """CONDITIONING of a prompt in which `(words:1.3)` are weighted, its tokens, and the weights in words.

    Every encoding goes through the cache of prompts. Without weights the conditioning is the plain prompt's.
    """
    text, spans = parse(prompts.replace_lone_surrogates(prompt))
    conditioning, tokens = prompts.encode(clip, text, is_cut=is_cut, remember=remember)
    if not spans:
        return conditioning, tokens, ""
    ids = prompts.token_ids(clip, text)
    shorter = [without(text, span) for span in spans]
    encoded = [prompts.encode(clip, each, is_cut=False, remember=remember)[0] for each in shorter]
    places = [place_of(ids, prompts.token_ids(clip, each)) for each in shorter]
    weighted: list[Any] = []
    for index, (embeddings, extras) in enumerate(conditioning):
        parts = [
            (entry[index][0][0], place, span.weight) for entry, place, span in zip(encoded, places, spans, strict=True)
        ]
        weighted.append([reweighted(embeddings[0], parts)[None], extras])
    return weighted, tokens, describe(text, spans)


def describe(text: str, spans: tuple[Span, ...]) -> str:
    """The weighted words and their weights."""
    return ", ".join(f"{shortened(text[span.start : span.end])} {span.weight:g}" for span in spans)
