"""CONDITIONING with noise on its embeddings for a part of the steps, and the words in it that keep theirs.

It stays plain CONDITIONING: each entry becomes up to three with timestep ranges of ComfyUI's own, so any sampler and
any MODEL reads it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from ....zimage_core.conditioning.embedding_noise import EmbeddingNoise
from ....zimage_core.conditioning.part_of_run import is_any
from ....zimage_core.text import shortened
from ....zimage_core.text.protected import quoted_texts, text_of, tokens_of
from .prompts import TOKEN_TEXTS, TokenTexts

Conditioning = list[Any]
FULL_WIDTH_COMMA = "\uff0c"  # as Chinese keyboards write it
MOST_NAMED = 5  # missing words in a note


class Diverse(NamedTuple):
    """A conditioning and what the artist should know of it."""

    conditioning: Conditioning
    note: str


def with_noise(conditioning: Conditioning, noise: EmbeddingNoise, protected: str, *, keeps_quoted: bool) -> Diverse:
    """A conditioning with noise; `protected` are words between commas. Without noise it is the object given."""
    if not (is_any((noise.start, noise.end), "The noise") and noise.is_on):
        return Diverse(conditioning, "")
    words = [word for word in (each.strip() for each in protected.replace(FULL_WIDTH_COMMA, ",").split(",")) if word]
    entries: Conditioning = []
    missing: list[str] = []
    for embeddings, values in conditioning:
        told: TokenTexts | None = values.get(TOKEN_TEXTS)
        tokens = None if told is None else told.texts
        if tokens is None and words:
            raise ValueError(
                "This conditioning does not tell which words it holds, so none of them can be kept from the noise. "
                "Encode the prompt with Z-Image Text Encode, or clear the protected words."
            )
        quoted = quoted_texts(text_of(tokens)) if keeps_quoted and tokens else []
        kept = tokens_of([*words, *quoted], tokens or ())
        missing += [word for word in words if not kept[word]]
        noised = noise.of(embeddings, set[int]().union(*kept.values()))
        for start, end, is_noised in noise.ranges(values.get("start_percent", 0.0), values.get("end_percent", 1.0)):
            ranged = {**values, "start_percent": start, "end_percent": end}
            entries.append([noised if is_noised else embeddings, ranged])
    return Diverse(entries, _note(missing))


def _note(missing: Sequence[str]) -> str:
    words = list(dict.fromkeys(missing))
    names = ", ".join(f"'{shortened(word)}'" for word in words[:MOST_NAMED])
    names += f" and {len(words) - MOST_NAMED} more" if len(words) > MOST_NAMED else ""
    return f"Protected words that do not stand in the prompt: {names}." if missing else ""
