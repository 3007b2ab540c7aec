"""What a LoRA's file tells of itself: the words it was trained on, and the release of Z-Image.

The keys are those of ModelSpec (github.com/Stability-AI/ModelSpec), of kohya's sd-scripts (`ss_`) and AUTOMATIC1111's
web UI (`ssmd_`). Every value is a string, some hold JSON. By their sources, musubi-tuner names the model's file in
`ss_sd_model_name`; ai-toolkit writes its trigger word as a tag, and the version "zimage" whatever the release was.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, cast

MOST_WORDS = 8
LONGEST = 60  # characters of a word that is shown; captions stand among the tags, too
WORD_KEYS = ("modelspec.trigger_phrase", "trigger_word", "ss_trigger_words", "ssmd_keywords")
TAGS = "ss_tag_frequency"  # JSON: a folder of the training set -> a tag -> how often it stands in captions
TRAINED_ON = (
    *("ss_base_model_version", "ss_sd_model_name", "ss_base_model", "ss_base_model_name"),
    *("modelspec.architecture", "modelspec.title", "name"),
)
TURBO, BASE = "Turbo", "base"


def trigger_words(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Words that call up what a LoRA was trained on: those it names, else the most frequent tags of its captions."""
    named = [word for key in WORD_KEYS for word in _words(metadata.get(key, ""))]
    tags = [tag for tag, _ in _tags(metadata.get(TAGS, "")).most_common()] if not named else []
    short = [word for word in [*named, *tags] if len(word) <= LONGEST]
    return tuple(dict.fromkeys(short))[:MOST_WORDS]


def trained_for(metadata: Mapping[str, str]) -> str | None:
    """`TURBO` or `BASE` where the metadata says which; None where it does not, and for Turbo without distillation."""
    for text in (metadata.get(key, "").lower() for key in TRAINED_ON):
        if any(piece in text for piece in ("de_turbo", "de-turbo", "deturbo")):
            return None
        if "turbo" in text:
            return TURBO
        if any(
            piece in text for piece in ("z_image_base", "z-image-base", "zimage_base", "z_image_bf16", "zimage:base")
        ):
            return BASE
    return None


def _words(text: str) -> Iterator[str]:
    """Words between commas; a JSON list, too."""
    value = _json(text)
    parts = cast(list[Any], value) if isinstance(value, list) else text.split(",")
    yield from (part.strip() for part in map(str, parts) if part.strip())


def _tags(text: str) -> Counter[str]:
    """How often each tag stands in the captions of all folders; empty if the text is not of that form."""
    counts: Counter[str] = Counter()
    folders = _json(text)
    for folder in cast(dict[str, Any], folders).values() if isinstance(folders, dict) else ():
        if isinstance(folder, dict):
            tags = cast(dict[str, Any], folder)
            counts.update({tag.strip(): count for tag, count in tags.items() if isinstance(count, int)})
    return counts


def _json(text: str) -> Any:
    """A text's value; None if it is not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
