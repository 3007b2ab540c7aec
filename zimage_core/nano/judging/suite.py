"""nano's own suite: held-out scenes described in two languages, measured by the checker that knows the renderer."""

import random
from pathlib import Path

from ...evaluation.case import Case, Place, Reading, Suite
from ...scoring.score import Request
from ..data.captions import LANGUAGES, plain_caption
from ..data.scenes import Scene, held_out_scenes

ORDER_SEED = 0


def read(folder: Path, reading: Reading) -> list[Case]:
    """Every held-out scene, in English and then in Chinese, in an order of its own; no folder is read."""
    scenes = held_out_scenes()
    random.Random(ORDER_SEED).shuffle(scenes)
    return [
        _case(scene, language, index, reading.seeds(2 * index + second, 1))
        for index, scene in enumerate(scenes)
        for second, language in enumerate(LANGUAGES)
    ]


def _case(scene: Scene, language: str, index: int, seeds: tuple[int, ...]) -> Case:
    prompt = plain_caption(scene, language)
    return Case(
        id=f"{language}/{index:04d}",
        prompt=prompt,
        request=Request(prompt=prompt, language=language, rules=dict(vars(scene))),
        seeds=seeds,
        places=(Place(file=f"{language}/{index:04d}.png"),),
        group=language,
    )


NANO = Suite(name="nano", title="nano's held-out scenes", reads="scene", read=read)
