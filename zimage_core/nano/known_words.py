"""The words the built-in model has read in training, and those of a prompt that it has not."""

import re
from collections.abc import Iterator
from functools import cache

from .data import captions, combinations, edit_captions

WORD = re.compile("[^\\W\\d_\u4e00-\u9fff]{3,}")  # shorter ones join words, and say nothing of the picture
CHARACTERS = re.compile("[\u4e00-\u9fff]+")  # Chinese puts no spaces between words
SLOT = re.compile(r"\{\w+\}")


def unknown_words(prompt: str) -> list[str]:
    """Words in no caption and no instruction, in order, each once; of Chinese, runs of unread characters."""
    words, characters = _read_in_training()
    found = [(each.start(), each[0]) for each in WORD.finditer(prompt) if each[0].lower() not in words]
    for run in CHARACTERS.finditer(prompt):
        unread = re.finditer(f"[^{characters}]+", run[0])
        found += [(run.start() + each.start(), each[0]) for each in unread]
    return list(dict.fromkeys(word for _, word in sorted(found)))


@cache
def _read_in_training() -> tuple[frozenset[str], str]:
    """English words in lower case, and Chinese characters."""
    texts = list(_texts())
    words = frozenset(word.lower() for text in texts for word in WORD.findall(text))
    return words, "".join(sorted({character for text in texts for character in "".join(CHARACTERS.findall(text))}))


def _texts() -> Iterator[str]:
    """Every word and sentence, without the sentences' slots."""
    yield from (sentence for sentences in combinations.TEMPLATES.values() for sentence in sentences)
    for language in captions.LANGUAGE_BY_CODE.values():
        sentences = (*language.templates, *language.held_out_templates, *language.partial_templates)
        yield from (SLOT.sub(" ", sentence) for sentence in sentences)
        yield from (word for words in language.words.values() for word in words)
    for templates in (*edit_captions.TEMPLATES.values(), *edit_captions.HELD_OUT_TEMPLATES.values()):
        yield from (SLOT.sub(" ", sentence) for sentences in templates.values() for sentence in sentences)
    for words in (*edit_captions.DESTINATIONS.values(), *edit_captions.SCENERIES.values()):
        yield from (word for synonyms in words.values() for word in synonyms)
