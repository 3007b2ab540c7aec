"""The captioner: what a picture shows, in five kinds of words and two languages, checked before it is believed.

The kinds are those of Z-Image's own captioner (arXiv 2511.22699, section 3): tags, short, medium and long captions, and
simulated requests of users, which are incomplete on purpose. Lettering is read first and never translated.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from PIL import Image

from ..back_end import BackEnd, Question, Text, ask, asked_again
from ..instructions import Instruction
from ..thinking import Budgets
from ..token_choice import Sampling
from .faults import LENGTHS, cleaned, find_faults

Language = Literal["en", "zh"]

KINDS = ("tags", "short", "medium", "long", "user")
STYLES = 6  # ways to word a request, numbered in the instruction
READING = ("medium", "long")  # kinds in which all lettering stands
PROMPTS = {"en": "Here is the picture.", "zh": "\u56fe\u7247\u5982\u4e0a\u3002"}
UNITS = {
    ("en", "tags"): "{} to {} tags",
    ("en", "words"): "{} to {} words",
    ("zh", "tags"): "{} \u5230 {} \u4e2a\u6807\u7b7e",
    ("zh", "words"): "{} \u5230 {} \u4e2a\u5b57",
}
LETTERING = {
    "en": "These texts can be read in the picture: {}.",
    "zh": "\u753b\u9762\u91cc\u80fd\u8bfb\u51fa\u8fd9\u4e9b\u6587\u5b57\uff1a{}\u3002",
}
FACTS = {
    "en": "This is known of the picture besides what it shows: {}.",
    "zh": "\u9664\u753b\u9762\u4e4b\u5916\uff0c\u8fd8\u5df2\u77e5\uff1a{}\u3002",
}


@dataclass(frozen=True, kw_only=True)
class Wish:
    """Which caption is wanted."""

    kind: str
    language: Language = "en"
    budgets: Budgets = field(default_factory=lambda: Budgets(thought=0, answer=1024))
    sampling: Sampling = field(default_factory=Sampling)
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of a picture before a model looks at it."""

    lettering: tuple[str, ...] = ()  # lines a reader of text is sure of
    facts: Mapping[str, str] = field(default_factory=dict[str, str])  # names, places, titles: what sight does not tell


@dataclass(frozen=True, kw_only=True)
class Caption:
    """A caption, what was thought, and what is wrong with it where no answer was right."""

    text: str
    thought: str = ""
    problem: str = ""


NOTHING = Known()


def caption(
    picture: Image.Image,
    back_end: BackEnd,
    instruction: Instruction,
    wish: Wish,
    known: Known = NOTHING,
    on_text: Callable[[Text], object] | None = None,
) -> Caption:
    """The caption of an RGB picture. Raises `ValueError` where the model cannot be asked.

    A model that reads no instructions is asked for the kind by its name alone.
    """
    question = Question(
        prompt=PROMPTS[wish.language] if back_end.reads_instructions else wish.kind,
        pictures=(picture,),
        instruction=instruction.filled(_slots(picture, instruction, wish, known)),
        language=wish.language,
        budgets=wish.budgets,
        sampling=wish.sampling,
        seed=wish.seed,
    )
    lettering = known.lettering if wish.kind in READING else ()
    return checked(back_end, question, lambda text: find_faults(text, wish.kind, wish.language, lettering), on_text)


def checked(
    back_end: BackEnd,
    question: Question,
    faults_of: Callable[[str], list[str]],
    on_text: Callable[[Text], object] | None = None,
) -> Caption:
    """An answer without faults, asked for twice at most; what the second still lacks is its problem.

    A model that reads no instructions could not be told what was wrong, nor how much to write, and is believed.
    """
    reply = ask(back_end, question, on_text)
    if not back_end.reads_instructions:
        return Caption(text=reply.answer, thought=reply.thought, problem="" if reply.answer else "nothing was answered")
    if faults := faults_of(cleaned(reply.answer)):
        reply = ask(back_end, asked_again(question, reply.answer, faults), on_text)
        faults = faults_of(cleaned(reply.answer))
    return Caption(text=cleaned(reply.answer), thought=reply.thought, problem=faults[0] if faults else "")


def length_told(kind: str, language: str, told: str) -> str:
    """How much to write, in the words of an instruction's language."""
    return UNITS[told, "tags" if kind == "tags" else "words"].format(*LENGTHS[language][kind])


def style_of(picture: Image.Image, seed: int) -> int:
    """The way in which a user words a request for this picture, from 1: pictures differ, and so do seeds."""
    looks = hashlib.sha256(picture.tobytes()).digest()
    return 1 + (int.from_bytes(looks[:4], "big") + seed) % STYLES


def _slots(picture: Image.Image, instruction: Instruction, wish: Wish, known: Known) -> dict[str, str]:
    told = "zh" if instruction.language == "zh" else "en"
    read, facts = known.lettering, known.facts
    lines = [
        *([LETTERING[told].format(", ".join(f'"{text}"' for text in read))] if read else []),
        *([FACTS[told].format("; ".join(f"{name}: {value}" for name, value in facts.items()))] if facts else []),
    ]
    return {
        "facts": "\n".join(lines),
        "length": length_told(wish.kind, wish.language, told),
        "style": str(style_of(picture, wish.seed)),
    }
