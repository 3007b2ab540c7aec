"""Measures drawing at sizes and shapes other than 64x64, on scenes that were never trained on; `judge` prints it.

The checker reads every picture as large as it is. Beside each size stand its ceiling, real renders through the
autoencoder, and at one size the floor, pictures drawn for other scenes' captions.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from typing import TypeVar

import torch
from PIL import Image
from tqdm import tqdm

from ..data.captions import LANGUAGES, plain_caption
from ..data.render import Size, render
from ..data.scenes import Scene
from ..data.sizes import OTHER_SIZES, TRAINED_SIZES, size_name
from .checker import Score, check
from .rates import rate

BATCH = 24
ATTRIBUTES = tuple(field.name for field in fields(Score))
FLOOR_SIZE = (96, 96)

Asked = TypeVar("Asked")
Found = TypeVar("Found")
Pictures = list[Image.Image]
Draw = Callable[[Sequence[str], int, Size], Pictures]  # of prompts, with a seed
Reconstruct = Callable[[Sequence[Image.Image]], Pictures]  # through the autoencoder and back


def report(draw: Draw, reconstruct: Reconstruct, scenes: Sequence[Scene]) -> Iterator[str]:
    """The table, line by line, in Markdown."""
    yield f"| {len(scenes)} held-out scenes | {' | '.join((*ATTRIBUTES, 'all'))} | Chinese, all | ceiling, all |"
    yield "| --- |" + " --- |" * (len(ATTRIBUTES) + 3)
    for size in (*TRAINED_SIZES, *OTHER_SIZES):
        english, chinese = (drawn(draw, scenes, scenes, size, language) for language in LANGUAGES)
        ceiling = reconstructed(reconstruct, scenes, size)
        name = size_name(size) + (", never trained on" if size in OTHER_SIZES else "")
        yield f"| {name} | {rates(english)} | {all_right(chinese)} | {all_right(ceiling)} |"
    floor = drawn(draw, scenes, [*scenes[1:], *scenes[:1]], FLOOR_SIZE, "en")
    yield f"| {size_name(FLOOR_SIZE)}, other scenes' captions (floor) | {rates(floor)} | | |"


def reconstructed(reconstruct: Reconstruct, scenes: Sequence[Scene], size: Size) -> list[Score]:
    """Each scene looked for in its real picture after the autoencoder."""
    return checked(size_name(size), lambda first, some: reconstruct(renders(some, first, size)), scenes, check)


def drawn(draw: Draw, scenes: Sequence[Scene], told: Sequence[Scene], size: Size, language: str) -> list[Score]:
    """Each scene looked for in the picture of the caption of the one told."""
    words = [plain_caption(scene, language) for scene in told]
    return checked(
        size_name(size), lambda first, some: draw(words[first : first + len(some)], first, size), scenes, check
    )


@torch.inference_mode()
def checked(
    name: str,
    pictures: Callable[[int, Sequence[Asked]], Pictures],
    asked: Sequence[Asked],
    check_one: Callable[[Image.Image, Asked], Found],
) -> list[Found]:
    """What is found in the pictures of what was asked for, some at a time."""
    found: list[Found] = []
    for first in tqdm(range(0, len(asked), BATCH), desc=name, leave=False):
        some = asked[first : first + BATCH]
        found += [check_one(picture, each) for picture, each in zip(pictures(first, some), some, strict=True)]
    return found


def renders(scenes: Sequence[Scene], seed: int, size: Size) -> Pictures:
    """Real pictures, jittered."""
    return [render(scene, seed + index, size) for index, scene in enumerate(scenes)]


def rates(scores: Sequence[Score]) -> str:
    """Cells of every attribute and of all at once."""
    cells = [f"{sum(getattr(score, name) for score in scores) / len(scores):.3f}" for name in ATTRIBUTES]
    return " | ".join((*cells, all_right(scores)))


def all_right(scores: Sequence[Score]) -> str:
    """How often all attributes are right, with Wilson's interval at 95 %."""
    return rate(sum(all(getattr(score, name) for name in ATTRIBUTES) for score in scores), len(scores))
