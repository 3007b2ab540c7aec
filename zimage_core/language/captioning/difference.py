"""Difference captions: the instruction that makes the second of two pictures from the first, in three steps.

As Z-Image's captioner does it (arXiv 2511.22699, section 3): caption both pictures, compare them by sight and by their
captions, write the instruction from what was found.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from PIL import Image

from ..back_end import BackEnd, Question, Text, ask
from ..instructions import Instruction
from .caption import Caption, Wish, checked, length_told
from .faults import cleaned, find_faults
from .instructions import DIFFERENCE, Instructions

PROMPTS = {"en": "Here are the pictures.", "zh": "\u56fe\u7247\u5982\u4e0a\u3002"}
NO_DIFFERENCE = "the two pictures show no difference"
NONE = re.compile("\\W*(?:none|no differences?|\u6ca1\u6709|\u65e0|\u6ca1\u6709\u4e0d\u540c)\\W*", re.IGNORECASE)
TWO = re.compile(
    r"\b(?:first|second|source|target|original|other) (?:picture|image|photo)\b"
    "|\u7b2c[\u4e00\u4e8c]\u5f20|\u539f\u56fe|\u65b0\u56fe|\u56fe[\u4e00\u4e8c12]",
    re.IGNORECASE,
)


class Pair(NamedTuple):
    """Two RGB pictures, and what captions say of them."""

    before: Image.Image
    after: Image.Image
    captions: tuple[str, str] = ("", "")


def difference(
    pair: Pair,
    back_end: BackEnd,
    instructions: Instructions,
    wish: Wish,
    on_text: Callable[[Text], object] | None = None,
) -> Caption:
    """What to do with the first picture; a problem where the two show the same.

    A model that reads no instructions is asked once, for "difference", and looks at both pictures only.
    """
    if not back_end.reads_instructions:
        return checked(back_end, _question(pair, wish, DIFFERENCE, ""), lambda text: [], on_text)
    _, compare, instruct = instructions.files
    before, after = pair.captions
    told = compare.filled({"before": before, "after": after})
    found = ask(back_end, _question(pair, wish, PROMPTS[wish.language], told), on_text)
    if not found.answer or NONE.fullmatch(found.answer):
        return Caption(text="", thought=found.thought, problem=NO_DIFFERENCE)
    told = instruct.filled({"differences": found.answer, "length": _length(instruct, wish)})
    question = _question(pair, wish, PROMPTS[wish.language], told)
    return checked(back_end, question, lambda text: faults_of(text, wish), on_text)


def faults_of(text: str, wish: Wish) -> list[str]:
    """Also that it speaks of two pictures, of which the editor sees one."""
    faults = find_faults(cleaned(text), DIFFERENCE, wish.language)
    return [*faults, f"it says {said[0]!r}, but the editor sees one picture"] if (said := TWO.search(text)) else faults


def _question(pair: Pair, wish: Wish, prompt: str, instruction: str) -> Question:
    return Question(
        prompt=prompt,
        pictures=(pair.before, pair.after),
        instruction=instruction,
        language=wish.language,
        budgets=wish.budgets,
        sampling=wish.sampling,
        seed=wish.seed,
    )


def _length(instruct: Instruction, wish: Wish) -> str:
    return length_told(DIFFERENCE, wish.language, "zh" if instruct.language == "zh" else "en")
