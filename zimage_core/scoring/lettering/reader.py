"""What a reader is: a picture in, its lines of text out; and the errors by which it says that it could not read."""

import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from PIL import Image

LANGUAGES = ("en", "zh")  # in which a reader can be tested
SURE = 0.9  # confidence from which a line is taken for what stands in a picture
LEAST_LETTERS = 2  # a single letter is often a stroke of something else


class ReaderError(ValueError):
    """A reader that is missing, broken or not to be believed; its message is one sentence for a person."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line that was read."""

    text: str
    confidence: float = 1.0  # the reader's own, 0-1
    box: tuple[float, float, float, float] | None = (
        None  # left, top, right, bottom in pixels; None where it does not tell
    )


@runtime_checkable
class Reader(Protocol):
    """Reads pictures."""

    @property
    def name(self) -> str:
        """Who reads, with the version of model and program; stands beside every number."""
        ...

    def read(self, picture: Image.Image, language: str) -> Sequence[Line]:
        """The lines of an RGB picture from top to bottom, none where it shows no text; `language` is "en" or "zh".

        Raises `ReaderError` where it could not read, which is not the same as no text.
        """
        ...


@runtime_checkable
class KnowsScripts(Protocol):
    """A reader that reads certain scripts only; any other is taken to read all."""

    @property
    def scripts(self) -> Collection[str]:
        """The first words of their letters' Unicode names: LATIN, CJK."""
        ...


def unread_scripts(reader: Reader, texts: Sequence[str]) -> list[str]:
    """The scripts of texts that a reader does not know, in their order."""
    if not isinstance(reader, KnowsScripts):
        return []
    letters = (letter for letter in unicodedata.normalize("NFKC", "".join(texts)) if letter.isalpha())
    scripts = dict.fromkeys(unicodedata.name(letter, "UNNAMED").split()[0] for letter in letters)
    return [script for script in scripts if script not in reader.scripts]


def sure_lines(lines: Sequence[Line]) -> list[str]:
    """The texts of which a reader is sure, each once."""
    texts = (line.text.strip() for line in lines if line.confidence >= SURE)
    return list(dict.fromkeys(text for text in texts if sum(letter.isalnum() for letter in text) >= LEAST_LETTERS))
