"""`python -m zimage_core.nano.judging.judge_writer`: does nano's writer keep what was said, and solve riddles?

Requests come from templates it was never trained on, riddles from pairs of shape and colour it never saw in one. Kept:
every attribute the request states, in the answer. Drawn: shape, colour and whatever else was stated, in the picture of
the answer; without the writer the request itself is drawn.
"""

import random
from collections.abc import Callable, Iterator, Sequence

from ...language import GREEDY, Budgets
from ...language.back_end import Question, ask
from ...sampling import NANO
from ..data.caption_reading import stated
from ..data.captions import LANGUAGES
from ..data.requests import Request, held_out_request, is_held_out_riddle, riddle
from ..data.scenes import ATTRIBUTES, Scene, held_out_scenes
from ..files import FOLDER
from ..writer import NanoWriter, load_writer
from .checker import check
from .judge import BATCH, Model, load, print_report, shuffled

COLUMNS = ("requests", "kept", "whole", "drawn", "drawn without")
BUDGETS = Budgets(thought=160, answer=80)


def answers(writer: NanoWriter, requests: Sequence[Request]) -> list[str]:
    """What the writer makes of each, greedily."""
    return [
        ask(writer, Question(prompt=each.text, language=each.language, budgets=BUDGETS, sampling=GREEDY)).answer
        for each in requests
    ]


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
    written = answers(writer, requests)
    kept = sum(keeps(each, answer) for each, answer in zip(requests, written, strict=True)) / len(requests)
    whole = sum(attributes_in(answer).keys() == ATTRIBUTES.keys() for answer in written)
    drawn = drawn_right(requests, written, model)
    without = drawn_right(requests, [each.text for each in requests], model)
    return [str(len(requests)), *(f"{share:.3f}" for share in (kept, whole / len(requests), drawn, without))]


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
