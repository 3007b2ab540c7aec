"""A grade from 0 to 10 with its justification, as PRISM-Bench has its judges give one for alignment and aesthetics."""

import json
import re
from dataclasses import dataclass
from typing import Any

from PIL import Image

from ..score import NO_PROMPT, Measurement, Request
from .judge_score import JudgeScore

OBJECT = re.compile(r"\{.*\}", re.DOTALL)
FORM = 'Answer with JSON only: {"justification": "one or two sentences", "score": a number from 0 to 10}.'
ALIGNMENT = (
    "This picture was drawn from a prompt. How well does it show what the prompt asks for: the things, their number, "
    "qualities, places and relations, the text, the style? 10 is all of it, 0 nothing. The prompt: {prompt}\n" + FORM
)
AESTHETICS = (
    "How good is this picture to look at? Begin at 10 and take off for faults of composition, light, colour, anatomy, "
    "perspective, broken details and blur. Do not judge whether it fits a text.\n" + FORM
)


@dataclass(frozen=True)
class GradeScore(JudgeScore):
    """A judge's grade; the justification stands in the notes."""

    instruction: str = ALIGNMENT  # "{prompt}" in it is replaced
    name: str = "alignment"
    higher_is_better: bool = True

    def measure(self, picture: Image.Image, request: Request) -> Measurement:
        """The grade; an answer without one is missing, not 0."""
        if "{prompt}" in self.instruction and not request.prompt:
            return NO_PROMPT
        text = self.judge.ask(picture, self.instruction.replace("{prompt}", request.prompt)).text
        grade = read_grade(text)
        if grade is None:
            return Measurement.missing(f"{self.judge.name} gave no score from 0 to 10 but said: {text.strip()[:200]!r}")
        return Measurement(value=grade[0], notes=grade[1])


def read_grade(text: str) -> tuple[float, str] | None:
    """Score and justification from an answer's JSON, in a fence or among words; None where none is within 0-10."""
    found = OBJECT.search(text)
    try:
        given: dict[str, Any] = json.loads(found.group() if found else "null")
        score, why = float(given["score"]), str(given.get("justification", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return (score, why) if 0 <= score <= 10 else None
