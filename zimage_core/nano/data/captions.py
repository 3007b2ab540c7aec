"""Captions of scenes in English and Chinese.

Templates and synonyms are data. Some templates are held out of training, to see whether the text encoder learned words
or whole sentences. A caption may omit attributes, which the picture may then choose.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from .scenes import Scene

LANGUAGES = ("en", "zh")
PARTIAL_FRACTION = 0.25  # of training captions say only some of the attributes

Words = dict[str, tuple[str, ...]]

ENGLISH: Words = {
    "circle": ("circle", "disc", "ball"),
    "square": ("square", "box"),
    "triangle": ("triangle",),
    "star": ("star",),
    "heart": ("heart",),
    "ring": ("ring", "hoop"),
    "red": ("red",),
    "orange": ("orange",),
    "yellow": ("yellow",),
    "green": ("green",),
    "cyan": ("cyan", "turquoise"),
    "blue": ("blue",),
    "purple": ("purple", "violet"),
    "pink": ("pink",),
    "small": ("small", "little", "tiny"),
    "large": ("large", "big", "huge"),
    "top left": ("in the top left corner", "at the top left", "in the upper left"),
    "top middle": ("at the top", "at the top in the middle", "near the top edge"),
    "top right": ("in the top right corner", "at the top right", "in the upper right"),
    "middle left": ("on the left", "on the left side", "at the left edge"),
    "middle middle": ("in the middle", "in the centre", "in the center"),
    "middle right": ("on the right", "on the right side", "at the right edge"),
    "bottom left": ("in the bottom left corner", "at the bottom left", "in the lower left"),
    "bottom middle": ("at the bottom", "at the bottom in the middle", "near the bottom edge"),
    "bottom right": ("in the bottom right corner", "at the bottom right", "in the lower right"),
    "white": ("on a white background", "on white"),
    "black": ("on a black background", "on black"),
    "grey": ("on a grey background", "on a gray background", "on grey"),
    "sky": ("in the sky", "against a blue sky", "on a sky background"),
    "stripes": ("on stripes", "on a striped background", "in front of stripes"),
    "checks": ("on a chessboard", "on a checkered background", "on checks"),
}

CHINESE: Words = {
    "circle": ("圆形", "圆", "球"),
    "square": ("正方形", "方块"),
    "triangle": ("三角形",),
    "star": ("星星", "五角星"),
    "heart": ("爱心", "心形"),
    "ring": ("圆环", "环"),
    "red": ("红色", "红"),
    "orange": ("橙色",),
    "yellow": ("黄色", "黄"),
    "green": ("绿色", "绿"),
    "cyan": ("青色",),
    "blue": ("蓝色", "蓝"),
    "purple": ("紫色", "紫"),
    "pink": ("粉色", "粉红色"),
    "small": ("小", "小小的"),
    "large": ("大", "大大的"),
    "top left": ("左上角", "左上方"),
    "top middle": ("上方", "顶部中间"),
    "top right": ("右上角", "右上方"),
    "middle left": ("左边", "左侧"),
    "middle middle": ("中间", "中央"),
    "middle right": ("右边", "右侧"),
    "bottom left": ("左下角", "左下方"),
    "bottom middle": ("下方", "底部中间"),
    "bottom right": ("右下角", "右下方"),
    "white": ("白色背景",),
    "black": ("黑色背景",),
    "grey": ("灰色背景",),
    "sky": ("天空背景", "蓝天背景"),
    "stripes": ("条纹背景",),
    "checks": ("棋盘背景", "格子背景"),
}

ENGLISH_TEMPLATES = (
    "a {size} {colour} {shape} {position} {ground}",
    "a {colour} {shape}, {size}, {position} {ground}",
    "{size} {colour} {shape} {position}, {ground}",
    "{position} there is a {size} {colour} {shape}, {ground}",
    "a picture of a {size} {colour} {shape} {position} {ground}",
    "{ground}, a {size} {colour} {shape} {position}",
    "{colour} {shape}, {size}, {position}, {ground}",
    "draw a {size} {colour} {shape} {position} {ground}.",
)
ENGLISH_HELD_OUT = (
    "{ground} there is a {size} {shape} {position}, {colour}",
    "{position}, {ground}: a {size} {colour} {shape}",
)

CHINESE_TEMPLATES = (
    "{ground}上{position}有一个{size}{colour}{shape}",
    "一个{size}{colour}{shape}，在{position}，{ground}",
    "{position}有一个{size}{colour}{shape}，{ground}",
    "{size}{colour}{shape}在{position}，{ground}",
    "画一个{size}{colour}{shape}，位于{position}，{ground}。",
    "{colour}{shape}，{size}，{position}，{ground}",
    "{ground}，{size}{colour}{shape}，{position}",
    "一张图片：{position}的{size}{colour}{shape}，{ground}",
)
CHINESE_HELD_OUT = (
    "{ground}，{position}画着{size}{colour}{shape}",
    "在{position}，{ground}上，一个{colour}{shape}，{size}",
)

# Captions that state only some attributes; the shape is always named.
PARTIAL_TEMPLATES = {
    "en": (
        "a {colour} {shape}",
        "a {shape}",
        "a {size} {colour} {shape}",
        "a {colour} {shape} {ground}",
        "a {colour} {shape} {position}",
        "a {size} {shape} {ground}",
    ),
    "zh": (
        "一个{colour}{shape}",
        "{shape}",
        "{size}{colour}{shape}",
        "{ground}上有一个{colour}{shape}",
        "{position}有一个{colour}{shape}",
        "{ground}，{size}{shape}",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Language:
    """Words and sentences of one language."""

    words: Words
    templates: tuple[str, ...]
    held_out_templates: tuple[str, ...]
    partial_templates: tuple[str, ...]


LANGUAGE_BY_CODE = {
    "en": Language(
        words=ENGLISH,
        templates=ENGLISH_TEMPLATES,
        held_out_templates=ENGLISH_HELD_OUT,
        partial_templates=PARTIAL_TEMPLATES["en"],
    ),
    "zh": Language(
        words=CHINESE,
        templates=CHINESE_TEMPLATES,
        held_out_templates=CHINESE_HELD_OUT,
        partial_templates=PARTIAL_TEMPLATES["zh"],
    ),
}


def plain_caption(scene: Scene, language: str) -> str:
    """The first template with the first synonyms, for tests and examples."""
    return fill(LANGUAGE_BY_CODE[language].templates[0], scene, language, None)


def training_caption(scene: Scene, rng: random.Random) -> str:
    """A caption in either language, one in four of them partial."""
    return caption_with_attributes(scene, rng)[0]


def caption_with_attributes(scene: Scene, rng: random.Random) -> tuple[str, frozenset[str]]:
    """A training caption, and the attributes of the scene it states."""
    language = rng.choice(LANGUAGES)
    sentences = LANGUAGE_BY_CODE[language]
    template = rng.choice(sentences.partial_templates if rng.random() < PARTIAL_FRACTION else sentences.templates)
    stated = {name for name in ("shape", "colour", "size", "ground") if f"{{{name}}}" in template}
    return fill(template, scene, language, rng), frozenset(
        stated | ({"row", "column"} if "{position}" in template else set())
    )


def held_out_caption(scene: Scene, language: str, rng: random.Random) -> str:
    """A full caption from a template that is never trained on."""
    return fill(rng.choice(LANGUAGE_BY_CODE[language].held_out_templates), scene, language, rng)


def fill(template: str, scene: Scene, language: str, rng: random.Random | None) -> str:
    """A template with a scene's words: random synonyms, or the first ones where `rng` is None."""
    words = LANGUAGE_BY_CODE[language].words

    def say(name: str) -> str:
        return rng.choice(words[name]) if rng else words[name][0]

    return template.format(
        shape=say(scene.shape),
        colour=say(scene.colour),
        size=say(scene.size),
        position=say(f"{scene.row} {scene.column}"),
        ground=say(scene.ground),
    )


def every_sentence(scenes: list[Scene], rng: random.Random) -> Iterator[str]:
    """Training captions of all scenes, to build a vocabulary from."""
    for scene in scenes:
        yield training_caption(scene, rng)
