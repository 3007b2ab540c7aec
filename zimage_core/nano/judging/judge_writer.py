"""`python -m zimage_core.nano.judging.judge_writer`: does nano's writer keep what was said, and solve riddles?

Requests come from templates it was never trained on, riddles from pairs of shape and colour it never saw in one. Kept:
every attribute the request states, in the answer; first in the model's own first answer, then in the prompt that users
get, which is asked for again and completed where it lost something (`language.enhance`). Put back: prompts completed
so. Drawn: shape, colour and whatever else was stated, in the picture of the prompt; without the writer the request
itself is drawn. Words are chosen as a node with seed 0 and the command choose them.
"""

import random
from collections.abc import Callable, Iterator, Sequence

from ...language import Budgets
from ...language.back_end import Question, ask
from ...language.enhance import enhance
from ...language.instructions import find_instructions, read_instruction
from ...language.wish import Enhanced, Language, Wish
from ...sampling import NANO
from ...text import load_tokenizer, tokenize
from ..data.caption_reading import stated
from ..data.captions import LANGUAGES
from ..data.requests import Request, held_out_request, is_held_out_riddle, riddle
from ..data.scenes import ATTRIBUTES, Scene, held_out_scenes
from ..files import FOLDER, TOKENIZER
from ..writer import NanoWriter, load_writer
from .checker import check
from .judge import BATCH, Model, load, print_report, shuffled

COLUMNS = ("requests", "kept at first", "put back", "kept", "whole", "drawn", "drawn without")
BUDGETS = Budgets(thought=160, answer=80)
ANSWERED: tuple[Language, ...] = ("en", "zh")


def first_answers(writer: NanoWriter, requests: Sequence[Request]) -> list[str]:
    """What the writer makes of each, as `enhance` asks first."""
    questions = [Question(prompt=each.text, language=each.language, budgets=BUDGETS) for each in requests]
    return [ask(writer, question).answer for question in questions]


def prompts_of(writer: NanoWriter, requests: Sequence[Request]) -> list[Enhanced]:
    """What users get of each."""
    instruction = read_instruction(find_instructions("enhance")["enhance.en"])
    tokenizer = load_tokenizer(FOLDER / TOKENIZER)

    def count(prompt: str) -> int:
        return len(tokenize(tokenizer, prompt, limit=None).ids)

    wishes = {language: Wish(language=language, budgets=BUDGETS) for language in ANSWERED}
    return [enhance(each.text, writer, instruction, wishes[each.language], count) for each in requests]


def attributes_in(answer: str) -> dict[str, str]:
    """What an answer states; nothing where it contradicts itself."""
    try:
        return stated(answer)
    except ValueError:
        return {}


def keeps(request: Request, answer: str) -> bool:
    """Whether all that was stated stands in the answer."""
    found = attributes_in(answer)
    names = (name for each in request.stated for name in (("row", "column") if each == "position" else (each,)))
    return all(found.get(name) == getattr(request.scene, name) for name in names)


def kept(requests: Sequence[Request], prompts: Sequence[str]) -> float:
    """The share of prompts that keep all that their requests state."""
    return sum(keeps(each, prompt) for each, prompt in zip(requests, prompts, strict=True)) / len(requests)


def drawn_right(requests: Sequence[Request], prompts: Sequence[str], model: Model) -> float:
    """The share of pictures of `prompts` that show all that their requests state."""
    right = 0
    for first in range(0, len(requests), BATCH):
        chosen, said = requests[first : first + BATCH], iter(prompts[first : first + BATCH])
        pictures = model.draw(NANO, lambda scene, said=said: next(said), [each.scene for each in chosen], first)
        for request, picture in zip(chosen, pictures, strict=True):
            score = check(picture, request.scene)
            right += all(getattr(score, name) for name in request.stated)
    return right / len(requests)


def row(writer: NanoWriter, model: Model, requests: Sequence[Request]) -> list[str]:
    """One line of the table."""
    first, found = first_answers(writer, requests), prompts_of(writer, requests)
    written = [each.prompt for each in found]
    shares = (
        kept(requests, first),
        sum(bool(each.note) for each in found) / len(requests),
        kept(requests, written),
        sum(attributes_in(prompt).keys() == ATTRIBUTES.keys() for prompt in written) / len(requests),
        drawn_right(requests, written, model),
        drawn_right(requests, [each.text for each in requests], model),
    )
    return [str(len(requests)), *(f"{share:.3f}" for share in shares)]


def rows(limit: int) -> Iterator[tuple[str, list[Request]]]:
    """Requests and riddles in each language."""
    scenes = shuffled(held_out_scenes())
    hidden = [scene for scene in scenes if is_held_out_riddle(scene)]
    make: dict[str, tuple[list[Scene], Callable[[Scene, str, random.Random], Request]]] = {
        "requests": (scenes, held_out_request),
        "riddles": (hidden, lambda scene, language, rng: riddle(scene, language, language, rng)),
    }
    for name, (chosen, request) in make.items():
        for language in LANGUAGES:
            rng = random.Random(0)
            yield f"{name}, {language}", [request(scene, language, rng) for scene in chosen[:limit]]


def report(limit: int) -> Iterator[str]:
    """The table, line by line, in Markdown."""
    writer, model = load_writer(), load(FOLDER)
    yield "| " + " | ".join(("", *COLUMNS)) + " |"
    yield "| --- " * (len(COLUMNS) + 1) + "|"
    for name, requests in rows(limit):
        yield "| " + " | ".join((name, *row(writer, model, requests))) + " |"


if __name__ == "__main__":
    print_report(__doc__ or "", report, "requests of each kind", limit=48, threads=1)
