"""Edit instructions in English and Chinese.

The words are those of `captions`, with a few forms that only instructions need. Some templates are held out of
training. An instruction names the object by its shape, now and then by its colour too.
"""

import random
from dataclasses import dataclass, field

from .captions import LANGUAGE_BY_CODE, LANGUAGES, fill
from .edits import Edit
from .scenes import Scene

DESCRIBING_FRACTION = 0.1  # of training instructions describe the result instead, where that is one object or none
COLOUR_NAMED_FRACTION = 0.3  # of training instructions name the object's colour with its shape

# Where to, and what kind of background: forms that a caption has no use for.
DESTINATIONS = {
    "en": {
        "top left": ("to the top left corner", "to the top left", "to the upper left"),
        "top middle": ("to the top", "to the top edge"),
        "top right": ("to the top right corner", "to the top right", "to the upper right"),
        "middle left": ("to the left", "to the left side", "to the left edge"),
        "middle middle": ("to the middle", "to the centre", "to the center"),
        "middle right": ("to the right", "to the right side", "to the right edge"),
        "bottom left": ("to the bottom left corner", "to the bottom left", "to the lower left"),
        "bottom middle": ("to the bottom", "to the bottom edge"),
        "bottom right": ("to the bottom right corner", "to the bottom right", "to the lower right"),
    },
    "zh": {name: LANGUAGE_BY_CODE["zh"].words[name] for name in LANGUAGE_BY_CODE["zh"].words if " " in name},
}
SCENERIES = {
    "en": {
        "white": ("white",),
        "black": ("black",),
        "grey": ("grey", "gray"),
        "sky": ("sky", "a blue sky", "the sky"),
        "stripes": ("stripes",),
        "checks": ("a chessboard", "checks"),
    },
    "zh": {
        "white": ("白色", "白色背景"),
        "black": ("黑色", "黑色背景"),
        "grey": ("灰色", "灰色背景"),
        "sky": ("天空", "蓝天"),
        "stripes": ("条纹",),
        "checks": ("棋盘", "格子"),
    },
}

Templates = dict[str, tuple[str, ...]]

# {named} is the object that is there, {shape}, {colour}, {size} and {position} say what comes of it
ENGLISH: Templates = {
    "recolour": (
        "make the {named} {colour}",
        "paint the {named} {colour}",
        "turn the {named} {colour}",
        "change the {named} to {colour}",
        "the {named} should be {colour}",
        "change the colour of the {named} to {colour}",
    ),
    "add": (
        "add a {size} {colour} {shape} {position}",
        "put a {size} {colour} {shape} {position}",
        "draw a {size} {colour} {shape} {position} too",
        "place a {size} {colour} {shape} {position}",
        "{position}, add a {size} {colour} {shape}",
        "add a {colour} {shape}, {size}, {position}",
    ),
    "remove": (
        "remove the {named}",
        "delete the {named}",
        "erase the {named}",
        "take the {named} away",
        "the {named} should go",
        "take out the {named}",
    ),
    "replace": (
        "replace the {named} with a {shape}",
        "turn the {named} into a {shape}",
        "change the {named} to a {shape}",
        "make the {named} a {shape}",
        "swap the {named} for a {shape}",
        "draw a {shape} instead of the {named}",
    ),
    "move": (
        "move the {named} {destination}",
        "shift the {named} {destination}",
        "put the {named} {position}",
        "place the {named} {position}",
        "the {named} should be {position}",
        "take the {named} {destination}",
    ),
    "ground": (
        "change the background to {scenery}",
        "make the background {scenery}",
        "put everything {ground}",
        "replace the background with {scenery}",
        "turn the background into {scenery}",
        "the background should be {scenery}",
    ),
}
ENGLISH_HELD_OUT: Templates = {
    "recolour": ("turn the colour of the {named} to {colour}", "the colour of the {named} should be {colour}"),
    "add": ("{position}, put a {size} {colour} {shape}", "place a {colour} {shape}, {size}, {position} too"),
    "remove": ("take away the {named}", "take the {named} out"),
    "replace": ("the {named} should be a {shape}", "swap the {named} with a {shape}"),
    "move": ("change the place of the {named} {destination}", "{position}, put the {named}"),
    "ground": ("swap the background for {scenery}", "the picture should be {ground}"),
}

CHINESE: Templates = {
    "recolour": (
        "把{named}变成{colour}",
        "把{named}涂成{colour}",
        "把{named}改成{colour}",
        "将{named}变成{colour}",
        "{named}换成{colour}",
        "把{named}的颜色改成{colour}",
    ),
    "add": (
        "在{position}加一个{size}{colour}{shape}",
        "{position}加一个{size}{colour}{shape}",
        "加一个{size}{colour}{shape}，在{position}",
        "在{position}再画一个{size}{colour}{shape}",
        "{position}再放一个{size}{colour}{shape}",
        "添加一个{colour}{shape}，{size}，在{position}",
    ),
    "remove": (
        "去掉{named}",
        "删除{named}",
        "移除{named}",
        "把{named}去掉",
        "擦掉{named}",
        "不要{named}",
    ),
    "replace": (
        "把{named}换成{shape}",
        "把{named}变成一个{shape}",
        "用{shape}代替{named}",
        "将{named}改成{shape}",
        "把{named}改成一个{shape}",
        "将{named}变成{shape}",
    ),
    "move": (
        "把{named}移到{position}",
        "将{named}移动到{position}",
        "把{named}放到{position}",
        "{named}移到{position}",
        "把{named}放在{position}",
        "将{named}放在{position}",
    ),
    "ground": (
        "把背景换成{scenery}",
        "换成{ground}",
        "将背景改成{scenery}",
        "把背景变成{scenery}",
        "背景改成{scenery}",
        "背景换成{scenery}",
    ),
}
CHINESE_HELD_OUT: Templates = {
    "recolour": ("将{named}涂成{colour}", "将{named}的颜色换成{colour}"),
    "add": ("再画一个{size}{colour}{shape}，在{position}", "在{position}放一个{colour}{shape}，{size}"),
    "remove": ("把{named}删除", "将{named}移除"),
    "replace": ("将{named}换成一个{shape}", "{named}改成{shape}"),
    "move": ("将{named}移到{position}", "{named}放到{position}"),
    "ground": ("将背景换成{scenery}", "改成{ground}"),
}

TEMPLATES = {"en": ENGLISH, "zh": CHINESE}
HELD_OUT_TEMPLATES = {"en": ENGLISH_HELD_OUT, "zh": CHINESE_HELD_OUT}


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """What is said, and which values it tells, by name."""

    text: str
    stated: dict[str, str] = field(default_factory=dict[str, str])


def plain_instruction(edit: Edit, language: str) -> Instruction:
    """The first template with the first words: what a test or an example says."""
    return instruct(edit, language, TEMPLATES[language][edit.kind][0], None)


def training_instruction(edit: Edit, rng: random.Random) -> Instruction:
    """An instruction in either language; now and then it describes the result instead."""
    language = rng.choice(LANGUAGES)
    if len(edit.target.objects) == 1 and rng.random() < DESCRIBING_FRACTION:
        return describe(edit, language, rng)
    return instruct(edit, language, rng.choice(TEMPLATES[language][edit.kind]), rng)


def held_out_instruction(edit: Edit, language: str, rng: random.Random) -> Instruction:
    """An instruction in a sentence that training never says."""
    return instruct(edit, language, rng.choice(HELD_OUT_TEMPLATES[language][edit.kind]), rng)


def describe(edit: Edit, language: str, rng: random.Random) -> Instruction:
    """A full caption of the result, which has one object."""
    (obj,) = edit.target.objects
    scene = Scene(**vars(obj), ground=edit.new_ground)
    return Instruction(
        text=fill(rng.choice(LANGUAGE_BY_CODE[language].templates), scene, language, rng), stated=vars(scene)
    )


def instruct(edit: Edit, language: str, template: str, rng: random.Random | None) -> Instruction:
    """A template with an edit's words: random synonyms, or the first ones where `rng` is None."""
    words, said, stated = LANGUAGE_BY_CODE[language].words, dict[str, str](), {"kind": edit.kind}

    def say(slot: str, values: dict[str, str], choices: tuple[str, ...]) -> None:
        if f"{{{slot}}}" in template:
            said[slot] = rng.choice(choices) if rng else choices[0]
            stated.update(values)

    if edit.before:
        names = {"named shape": edit.before.shape}
        say("named", names, words[edit.before.shape])
        if rng and "named" in said and rng.random() < COLOUR_NAMED_FRACTION:
            colour = rng.choice(words[edit.before.colour])
            said["named"] = f"{colour} {said['named']}" if language == "en" else f"{colour}{said['named']}"
            stated["named colour"] = edit.before.colour
    if edit.after:
        row, column = edit.after.position
        for slot in ("shape", "colour", "size"):
            value: str = getattr(edit.after, slot)
            say(slot, {slot: value}, words[value])
        say("position", {"row": row, "column": column}, words[f"{row} {column}"])
        say("destination", {"row": row, "column": column}, DESTINATIONS[language][f"{row} {column}"])
    ground = {"ground": edit.new_ground}
    say("ground", ground, words[edit.new_ground])
    say("scenery", ground, SCENERIES[language][edit.new_ground])
    return Instruction(text=template.format(**said), stated=stated)
