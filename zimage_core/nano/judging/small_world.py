"""GenEval of the small world: its six tags and its rules on nano's shapes, found by nano's checker.

nano was trained on one object a picture, so what it does with two or more is beyond its training, and told as such.
"""

import random
from collections.abc import Callable, Mapping
from pathlib import Path

from ...evaluation.case import Case, Reading, Suite
from ...evaluation.prompt_files import Record
from ...evaluation.suites.geneval import TAGS, case_of, metadata
from ...evaluation.totals import MeanOfGroups
from ..data.captions import ENGLISH
from ..data.scenes import COLOURS, SHAPES, SIZES

PROMPTS = 500
ORDER_SEED = 0
NUMBERS = {2: "two", 3: "three"}
RELATIONS = {"left of": "to the left of", "right of": "to the right of", "above": "above", "below": "below"}
PLAIN_GROUNDS = ("white", "black", "grey")

Line = dict[str, object]  # of evaluation_metadata.jsonl
Clause = Mapping[str, object]


def records(n: int = PROMPTS) -> list[Line]:
    """Lines in GenEval's format, the tags in turn."""
    rng = random.Random(ORDER_SEED)
    return [MAKERS[TAGS[index % len(TAGS)]](rng) for index in range(n)]


def read(folder: Path, reading: Reading) -> list[Case]:
    """All prompts, one picture each; no folder is read."""
    lines = [Record(line, f"prompt {index}") for index, line in enumerate(records())]
    return [case_of(line, index, reading, pictures=1) for index, line in enumerate(lines)]


def single_object(rng: random.Random) -> Line:
    """A shape."""
    shape = rng.choice(SHAPES)
    return _line("single_object", f"a {rng.choice(list(SIZES))} {shape}", rng, _clause(shape))


def two_object(rng: random.Random) -> Line:
    """Two shapes."""
    one, other = rng.sample(SHAPES, 2)
    return _line("two_object", f"a {one} and a {other}", rng, _clause(one), _clause(other))


def counting(rng: random.Random) -> Line:
    """Several of one shape, and no more."""
    shape, n = rng.choice(SHAPES), rng.choice(list(NUMBERS))
    line = _line("counting", f"{NUMBERS[n]} {shape}s", rng, _clause(shape, n))
    return {**line, "exclude": [_clause(shape, n + 1)]}


def colors(rng: random.Random) -> Line:
    """A shape in a colour."""
    shape, colour = rng.choice(SHAPES), rng.choice(list(COLOURS))
    return _line("colors", f"a {colour} {shape}", rng, _clause(shape, color=colour))


def position(rng: random.Random) -> Line:
    """A shape beside, above or below another."""
    (one, other), relation = rng.sample(SHAPES, 2), rng.choice(list(RELATIONS))
    prompt = f"a {one} {RELATIONS[relation]} a {other}"
    return _line("position", prompt, rng, _clause(other), _clause(one, position=[relation, 0]))


def color_attr(rng: random.Random) -> Line:
    """Two shapes, each in its colour."""
    (one, other), (first, second) = rng.sample(SHAPES, 2), rng.sample(list(COLOURS), 2)
    prompt = f"a {first} {one} and a {second} {other}"
    return _line("color_attr", prompt, rng, _clause(one, color=first), _clause(other, color=second))


def _line(tag: str, words: str, rng: random.Random, *include: Clause) -> Line:
    """A line whose prompt ends with a ground."""
    return {"tag": tag, "include": list(include), "prompt": f"{words} {ENGLISH[rng.choice(PLAIN_GROUNDS)][0]}"}


def _clause(shape: str, count: int = 1, **more: object) -> Clause:
    return {"class": shape, "count": count, **more}


MAKERS: dict[str, Callable[[random.Random], Line]] = {
    "single_object": single_object,
    "two_object": two_object,
    "counting": counting,
    "colors": colors,
    "position": position,
    "color_attr": color_attr,
}

SMALL_WORLD = Suite(
    name="nano-geneval",
    title="GenEval of nano's small world",
    reads="objects",
    read=read,
    totals=MeanOfGroups(groups=TAGS),
    beside=metadata,
)
