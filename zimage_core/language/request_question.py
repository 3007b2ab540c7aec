"""The question that asks a language model for a text about a request: the instruction with its slots filled."""

from ..text.protected import quoted_texts
from .back_end import Question
from .instructions import Instruction
from .wish import Wish
from .writing_tasks import EDIT, NEGATIVE

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
UNLIKE = (
    "These were written for the same request already:\n{}\nKeep all that the request says, and choose otherwise than "
    "every one of them in what it leaves open: place, viewpoint, arrangement, light, surroundings."
)
SO_FAR = (
    "The prompt so far:\n{}\nThe request changes it. Write the whole prompt anew: with the change, and everything else "
    "as it is."
)
TURNS = "These changes were made before, in this order; words of the request may refer to them:\n{}"


def question_of(request: str, instruction: Instruction, wish: Wish, language: str) -> Question:
    """What is asked; `language` is the answer's, "en" or "zh"."""
    told = "zh" if instruction.language == "zh" else "en"
    quoted = quoted_texts(request) if wish.task.keeps_lettering else []
    slots = {
        "facts": FACTS[told].format(", ".join(quoted)) if quoted else "",
        "language": LANGUAGE_NAMES[told][language],
        "length": WORDS[told].format(*wish.task.lengths[wish.length], UNITS[told, language]),
    }
    return Question(
        prompt=request,
        instruction="\n\n".join(filter(None, [instruction.filled(slots), _earlier(wish), _unlike(wish)])),
        language=language,
        budgets=wish.budgets,
        sampling=wish.sampling,
        seed=wish.seed,
    )


def _earlier(wish: Wish) -> str:
    if not wish.earlier.strip() or wish.task == NEGATIVE:
        return ""
    return (TURNS if wish.task == EDIT else SO_FAR).format(wish.earlier.strip())


def _unlike(wish: Wish) -> str:
    written = "\n".join(f"{number}. {each}" for number, each in enumerate(wish.unlike, 1))
    return UNLIKE.format(written) if written else ""
