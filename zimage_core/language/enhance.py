"""The prompt enhancer: a request becomes a prompt that says all a painter needs, and keeps what was said.

What may not change is checked, not hoped for: texts in quotation marks letter by letter, the language, the room the
encoder has, and whatever the back end reads (`kept_facts`). An answer that fails is asked for once more, with what was
wrong; after that the back end puts back what was lost, or else the request itself comes back.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from PIL import Image

from .answer_checks import bare, find_faults, language_of_request
from .back_end import BackEnd, Question, Text, ask, asked_again
from .instructions import Instruction
from .kept_facts import lost_facts, with_facts
from .request_question import question_of
from .thinking import Budgets
from .token_choice import GREEDY, Sampling
from .wish import Enhanced, Wish
from .writing_tasks import PROMPT

DECIDE = (
    "Say whether this request for a picture has to be worked out before it can be drawn, as a question, riddle, sum, "
    "recipe, place by coordinates or a design has to be. Answer with one word, yes or no."
)
PUT_BACK = "The model lost this, so it was put back: {}."


def enhance(
    request: str,
    back_end: BackEnd,
    instruction: Instruction,
    wish: Wish,
    count_tokens: Callable[[str], int],
    on_text: Callable[[Text], object] | None = None,
    pictures: Sequence[Image.Image] = (),
) -> Enhanced:
    """A text for `request`, or the request where it is empty, not to be changed, or no answer was right.

    `count_tokens` counts a prompt as the encoder will, template included. `pictures` are shown to a model that sees.
    """
    if wish.when == "off" or not request.strip():
        return _unchanged(request, wish)
    if problem := _reason_to_leave(request, back_end, wish):
        return _unchanged(request, wish, problem)
    language = language_of_request(request) if wish.language == "as the request" else wish.language
    question = question_of(request, instruction, wish, language)
    if back_end.sees:
        question = replace(question, pictures=tuple(pictures))

    def faults_of(answer: str) -> list[str]:
        keeps = wish.task.keeps_lettering
        faults = find_faults(request, answer, language, count_tokens, wish.max_tokens, keeps_lettering=keeps)
        lost = lost_facts(back_end, request, answer) if answer else []
        return [*faults, *([f"it loses {', '.join(lost)}"] if lost else [])]

    reply = ask(back_end, question, on_text)
    for last in (False, True):
        answer = bare(reply.answer, request)
        faults = faults_of(answer)
        if not faults:
            return Enhanced(prompt=answer, reasoning=reply.thought, changed=answer != request)
        if not last:
            reply = ask(back_end, _asked_again(back_end, question, reply.answer, faults), on_text)
    whole = with_facts(back_end, request, answer, language)
    if whole != answer and not faults_of(whole):
        note = PUT_BACK.format(", ".join(lost_facts(back_end, request, answer)))
        return Enhanced(prompt=whole, reasoning=reply.thought, note=note, changed=whole != request)
    return _unchanged(request, wish, faults[0], reply.thought)


def _asked_again(back_end: BackEnd, question: Question, answer: str, faults: Sequence[str]) -> Question:
    """With what was wrong; a model that would not read that gets another seed, and draws its words."""
    if back_end.reads_instructions:
        return asked_again(question, answer, faults)
    sampling = question.sampling if question.sampling.temperature else Sampling()
    return replace(question, sampling=sampling, seed=(question.seed + 1) % 2**64)


def _unchanged(request: str, wish: Wish, problem: str = "", thought: str = "") -> Enhanced:
    """The request, after the prompt that it changes; nothing where a request is no use."""
    so_far = wish.earlier.strip() if wish.task == PROMPT else ""
    text = f"{so_far} {request}".strip() if so_far else request
    return Enhanced(prompt=text if wish.task.falls_back else "", reasoning=thought, problem=problem, changed=False)


def _reason_to_leave(request: str, back_end: BackEnd, wish: Wish) -> str:
    """Why nothing is to be written, or an empty text."""
    if not back_end.reads_instructions and wish.task != PROMPT:
        return "this model writes prompts only"
    if wish.when != "when it needs reasoning" or wish.task != PROMPT:
        return ""
    if not back_end.reads_instructions:
        return "this model cannot tell whether it needs reasoning"
    return "" if needs_reasoning(request, back_end) else "nothing in it has to be worked out"


def needs_reasoning(request: str, back_end: BackEnd) -> bool:
    """Whether a model says that the request has to be worked out before it can be drawn."""
    budgets = Budgets(thought=0, answer=8)
    reply = ask(back_end, Question(prompt=request, instruction=DECIDE, budgets=budgets, sampling=GREEDY))
    return reply.answer.strip(" .!\"'*").lower().startswith(("yes", "\u662f"))
