"""Prompts that name colour, shape and place and leave size and ground open: for students of few steps, and their judge.

Told everything, nano draws in one step what it draws in many; where a prompt leaves something open, steps and guidance
are needed to decide. Some combinations are held out by hash, so that students are judged by prompts they never met.
"""

import random
from dataclasses import replace
from itertools import product

from .captions import LANGUAGES, PARTIAL_TEMPLATES, fill
from .scenes import COLOURS, COLUMNS, GROUNDS, ROWS, SHAPES, Scene, is_hash_held_out

TEMPLATE = 4  # of `PARTIAL_TEMPLATES`: "a red heart in the middle"
SEED = 0


def held_out_prompts() -> list[str]:
    """Of every held-out combination in each language, in a fixed order."""
    prompts = [
        fill(PARTIAL_TEMPLATES[language][TEMPLATE], scene, language, None)
        for scene in _scenes(is_held_out=True)
        for language in LANGUAGES
    ]
    return random.Random(SEED).sample(prompts, len(prompts))


def learned_prompts() -> list[str]:
    """Of the other combinations, each once in each language with words chosen at random, in a fixed order.

    Half of them name what the judged prompts name, the others also or instead a size or a ground.
    """
    rng = random.Random(SEED)
    others = [index for index, each in enumerate(PARTIAL_TEMPLATES["en"]) if "{colour}" in each and index != TEMPLATE]
    prompts: list[str] = []
    for scene, language in product(_scenes(is_held_out=False), LANGUAGES):
        index = TEMPLATE if rng.random() < 0.5 else rng.choice(others)
        said = replace(scene, size=rng.choice(("small", "large")), ground=rng.choice(GROUNDS))
        prompts.append(fill(PARTIAL_TEMPLATES[language][index], said, language, rng))
    return rng.sample(prompts, len(prompts))


def _scenes(*, is_held_out: bool) -> list[Scene]:
    """One of each combination of shape, colour and place."""
    scenes = [
        Scene(shape=shape, colour=colour, size="large", row=row, column=column, ground="white")
        for shape, colour, row, column in product(SHAPES, COLOURS, ROWS, COLUMNS)
    ]
    return [each for each in scenes if _is_held_out(each) == is_held_out]


def _is_held_out(scene: Scene) -> bool:
    return is_hash_held_out(f"{scene.shape} {scene.colour} {scene.row} {scene.column}")
