"""nano's own suite: held-out scenes described in two languages, measured by the checker that knows the renderer."""

import random
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from ...evaluation.case import Case, Place, Reading, Suite
from ...scoring.score import Measurement, Request
from ..data.captions import LANGUAGES, plain_caption
from ..data.render import SIDE
from ..data.scenes import Scene, held_out_scenes
from .checker import check

ORDER_SEED = 0


class SceneScore:
    """1 where shape, colour, size, position and ground are those asked for, else 0; each is a part."""

    name = "scene"
    reader = "nano's checker"
    higher_is_better = True

    def __call__(self, pictures: Sequence[Image.Image], requests: Sequence[Request]) -> list[Measurement]:
        """One number for each picture; the scene is the request's `rules`."""
        return [self._measure(*each) for each in zip(pictures, requests, strict=True)]

    def _measure(self, picture: Image.Image, request: Request) -> Measurement:
        if picture.size != (SIDE, SIDE):
            width, height = picture.size
            return Measurement.missing(f"the checker reads pictures of {SIDE}x{SIDE} pixels, not {width}x{height}")
        parts = {name: float(is_right) for name, is_right in vars(check(picture, scene_of(request))).items()}
        return Measurement(value=float(all(parts.values())), parts=parts)


def scene_of(request: Request) -> Scene:
    """The scene that a picture was asked to show."""
    return Scene(**{name: str(value) for name, value in request.rules.items()})


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
