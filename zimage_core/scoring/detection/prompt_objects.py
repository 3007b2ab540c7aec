"""Are the objects that a prompt names in the picture: those that a detector has a word for."""

import re
from collections.abc import Sequence

from PIL import Image

from ..score import NO_PROMPT, Measurement, Request
from .detector import Detector
from .geneval import CONFIDENCE


class PromptObjectsScore:
    """The share of the named objects that are found at least once, at GenEval's confidence."""

    name, higher_is_better = "objects of the prompt", True

    def __init__(self, detector: Detector, names: Sequence[str]) -> None:
        self.detector, self.names = detector, tuple(names)

    @property
    def reader(self) -> str:
        """The detector."""
        return self.detector.name

    def __call__(self, pictures: Sequence[Image.Image], requests: Sequence[Request]) -> list[Measurement]:
        """One number a picture; a prompt without a known object has none."""
        return [self._measure(*each) for each in zip(pictures, requests, strict=True)]

    def _measure(self, picture: Image.Image, request: Request) -> Measurement:
        if not request.prompt:
            return NO_PROMPT
        asked = named_in(request.prompt, self.names)
        if not asked:
            return Measurement.missing(f"the prompt names no object that {self.detector.name} knows")
        seen = {each.name for each in self.detector.detect(picture) if each.confidence > CONFIDENCE}
        missing = [name for name in asked if name not in seen]
        parts = {name: int(name in seen) for name in asked}
        return Measurement(
            value=1 - len(missing) / len(asked), parts=parts, notes=", ".join(f"no {n}" for n in missing)
        )


def named_in(prompt: str, names: Sequence[str]) -> list[str]:
    """The names that stand in a prompt as words, also with a plural's ending."""
    return [name for name in names if re.search(rf"\b{re.escape(name)}(?:s|es)?\b", prompt, re.IGNORECASE)]
