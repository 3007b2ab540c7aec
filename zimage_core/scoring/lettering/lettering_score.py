"""Lettering as a score: a reader and a rule; and a reader that reads a picture once for several rules."""

from collections.abc import Sequence
from dataclasses import replace

from PIL import Image

from ..pixels_digest import pixels_digest
from ..score import Measurement, Request
from .reader import LANGUAGES, Line, Reader, ReaderError, unread_scripts
from .rule import LetteringRule
from .self_test import check_reader

REMEMBERED = 4096  # pictures whose lines are kept


class LetteringScore:
    """What a rule says of the lines that a reader finds; a picture that could not be read has no number, not zero."""

    def __init__(self, reader: Reader, rule: LetteringRule) -> None:
        self.source, self.rule = reader, rule
        self.name, self.higher_is_better = rule.name, rule.higher_is_better
        self._believed: set[str] = set()

    @property
    def reader(self) -> str:
        """The reader's name and version."""
        return self.source.name

    def __call__(self, pictures: Sequence[Image.Image], requests: Sequence[Request]) -> list[Measurement]:
        """Raises `ReaderError` where the reader fails its test; afterwards a failure costs its own picture only."""
        for language in {each.language for each in requests if not self._refusal(each)} - self._believed:
            check_reader(self.source, language)
            self._believed.add(language)
        return [self._measure(*each) for each in zip(pictures, requests, strict=True)]

    def _refusal(self, request: Request) -> str:
        """Why the reader could not read what is asked for, so that it is not counted as wrong; empty where it could."""
        if request.language not in LANGUAGES:
            return f"lettering is read in English (en) and Chinese (zh), not in {request.language!r}"
        reader = self.source.source if isinstance(self.source, ReadOnce) else self.source
        unread = ", ".join(script.lower() for script in unread_scripts(reader, request.lettering))
        return f"{self.reader} reads no {unread} letters, of which the text asked for has some" if unread else ""

    def _measure(self, picture: Image.Image, request: Request) -> Measurement:
        if refusal := self._refusal(request):
            return Measurement.missing(refusal)
        try:
            lines = self.source.read(picture, request.language)
        except ReaderError as error:
            return Measurement.missing(str(error))
        texts = [line.text for line in lines]
        return replace(self.rule.measure(request, texts), notes="\n".join(texts))


class ReadOnce:
    """A reader that remembers the last pictures it read, so that several rules cost one reading."""

    def __init__(self, reader: Reader) -> None:
        self.source = reader
        self._known: dict[tuple[str, str], Sequence[Line]] = {}

    @property
    def name(self) -> str:
        """That of the reader behind."""
        return self.source.name

    def read(self, picture: Image.Image, language: str) -> Sequence[Line]:
        """The remembered lines, or those read now."""
        key = pixels_digest(picture), language
        if key not in self._known:
            if len(self._known) >= REMEMBERED:
                del self._known[next(iter(self._known))]
            self._known[key] = self.source.read(picture, language)
        return self._known[key]
