"""What nano's captioner says of a picture: five kinds of captions in both languages, written, not translated.

Tags, short, medium and long say always the same of one scene. A simulated user prompt leaves things out and varies,
as people do; so it is drawn at random. The words are those of `captions`.
"""

import random

from .captions import LANGUAGE_BY_CODE, fill
from .scenes import Scene

USER, DIFFERENCE = "user", "difference"
TEMPLATES = {
    "en": {
        "tags": "{shape}, {colour}, {size}, {position}, {ground}",
        "short": "a {colour} {shape} {ground}",
        "medium": "a {size} {colour} {shape} {position} {ground}",
        "long": (
            "there is no lettering. a picture of one {shape}: it is {size}, its colour is {colour}, it is {position} "
            "{ground}, and nothing else is there."
        ),
    },
    "zh": {
        "tags": "{shape}，{colour}，{size}，{position}，{ground}",
        "short": "{ground}上的{colour}{shape}",
        "medium": "{ground}上{position}有一个{size}{colour}{shape}",
        "long": "，".join(
            ("没有文字。图片里是一个{shape}：{size}", "{colour}", "位于{position}", "{ground}", "没有别的。")
        ),
    },
}
KINDS = (*TEMPLATES["en"], USER)


def picture_caption(scene: Scene, kind: str, language: str, rng: random.Random) -> str:
    """A caption of one kind; `rng` chooses what a user prompt says."""
    if kind == USER:
        return fill(rng.choice(LANGUAGE_BY_CODE[language].partial_templates), scene, language, rng)
    return fill(TEMPLATES[language][kind], scene, language, None)


def named_attributes(kind: str, language: str) -> frozenset[str]:
    """Which attributes a caption of this kind states; of a user prompt, the shape, and whatever else it likes."""
    if kind == USER:
        return frozenset({"shape"})
    names = ("shape", "colour", "size", "position", "ground")
    return frozenset(name for name in names if f"{{{name}}}" in TEMPLATES[language][kind])
