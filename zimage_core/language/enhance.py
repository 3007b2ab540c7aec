"""The prompt enhancer: a request becomes a prompt that says all a painter needs, and keeps what was said.

What may not change is checked, not hoped for: texts in quotation marks letter by letter, the language, the room the
encoder has. An answer that fails is asked for once more, with what was wrong; after that the request itself comes back.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from ..config import MAX_CAPTION_TOKENS
from ..text.protected import quoted_texts
from .answer_checks import bare, find_faults, language_of_request
from .back_end import BackEnd, Question, Text, ask, asked_again
from .instructions import Instruction
from .thinking import Budgets
from .token_choice import GREEDY, Sampling

When = Literal["always", "when it needs reasoning", "off"]
Language = Literal["as the request", "en", "zh"]

LENGTHS = {"short": (60, 80), "medium": (120, 160), "long": (250, 350)}  # words in English, characters in Chinese
DECIDE = (
    "Say whether this request for a picture has to be worked out before it can be drawn, as a question, riddle, sum, "
    "recipe, place by coordinates or a design has to be. Answer with one word, yes or no."
)
LANGUAGE_NAMES = {"en": {"en": "English", "zh": "Chinese"}, "zh": {"en": "\u82f1\u6587", "zh": "\u4e2d\u6587"}}
WORDS = {"en": "{} to {} {}", "zh": "{} \u5230 {} {}"}
UNITS = {
    ("en", "en"): "words",
    ("en", "zh"): "characters",
    ("zh", "en"): "\u4e2a\u5355\u8bcd",
    ("zh", "zh"): "\u4e2a\u5b57",
}
FACTS = {
    "en": "These texts stand in the picture, letter by letter: {}.",
    "zh": "\u753b\u9762\u91cc\u6709\u8fd9\u4e9b\u6587\u5b57\uff0c\u4e00\u5b57\u4e0d\u6539\uff1a{}\u3002",
}


@dataclass(frozen=True, kw_only=True)
class Wish:
    """How a request is to be enhanced."""

    when: When = "always"
    language: Language = "as the request"
    length: str = "medium"
    budgets: Budgets = field(default_factory=Budgets)
    sampling: Sampling = field(default_factory=Sampling)
    seed: int = 0
    max_tokens: int = MAX_CAPTION_TOKENS  # of the encoder, template included


@dataclass(frozen=True, kw_only=True)
class Enhanced:
    """The prompt to draw, what was thought, and why it is the request itself, where it is."""

    prompt: str
    reasoning: str = ""
    problem: str = ""
    changed: bool = True


def enhance(
    request: str,
    back_end: BackEnd,
    instruction: Instruction,
    wish: Wish,
    count_tokens: Callable[[str], int],
    on_text: Callable[[Text], object] | None = None,
) -> Enhanced:
    """A prompt for `request`, or the request where it is empty, not to be changed, or no answer was right.

    `count_tokens` counts a prompt as the encoder will, template included.
    """
    if wish.when == "off" or not request.strip():
        return Enhanced(prompt=request, changed=False)
    if wish.when == "when it needs reasoning":
        if not back_end.reads_instructions:
            return Enhanced(prompt=request, changed=False, problem="this model cannot tell whether it needs reasoning")
        if not needs_reasoning(request, back_end):
            return Enhanced(prompt=request, changed=False, problem="nothing in it has to be worked out")
    language = language_of_request(request) if wish.language == "as the request" else wish.language
    question = _question(request, instruction, wish, language)
    reply = ask(back_end, question, on_text)
    for last in (False, True):
        answer = bare(reply.answer, request)
        faults = find_faults(request, answer, language, count_tokens, wish.max_tokens)
        if not faults:
            return Enhanced(prompt=answer, reasoning=reply.thought, changed=answer != request)
        if not last:
            reply = ask(back_end, asked_again(question, reply.answer, faults), on_text)
    return Enhanced(prompt=request, reasoning=reply.thought, problem=faults[0], changed=False)


def needs_reasoning(request: str, back_end: BackEnd) -> bool:
    """Whether a model says that the request has to be worked out before it can be drawn."""
    budgets = Budgets(thought=0, answer=8)
    reply = ask(back_end, Question(prompt=request, instruction=DECIDE, budgets=budgets, sampling=GREEDY))
    return reply.answer.strip(" .!\"'*").lower().startswith(("yes", "\u662f"))


def _question(request: str, instruction: Instruction, wish: Wish, language: str) -> Question:
    told = "zh" if instruction.language == "zh" else "en"
    quoted = quoted_texts(request)
    slots = {
        "facts": FACTS[told].format(", ".join(quoted)) if quoted else "",
        "language": LANGUAGE_NAMES[told][language],
        "length": WORDS[told].format(*LENGTHS[wish.length], UNITS[told, language]),
    }
    return Question(
        prompt=request,
        instruction=instruction.filled(slots),
        language=language,
        budgets=wish.budgets,
        sampling=wish.sampling,
        seed=wish.seed,
    )
