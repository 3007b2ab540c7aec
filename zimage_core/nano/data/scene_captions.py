"""What nano's compositions show, in the captioner's five kinds, and how two of them differ: exact, in both languages.

The words are those of `captions` and `edit_captions`, so that nano's encoder has seen every one of them; the sentences
are for any number of objects.
"""

import random
from collections.abc import Iterator
from dataclasses import replace

from .captions import LANGUAGE_BY_CODE
from .edit_captions import plain_instruction
from .edits import Edit
from .requests import SHORT
from .scenes import Composition, SceneObject

OBJECT = {
    "en": {
        "short": "a {colour} {shape}",
        "medium": "a {size} {colour} {shape} {position}",
        "long": "There is a {shape} {position}. It is {size} and {colour}.",
    },
    "zh": {
        "short": "一个{colour}{shape}",
        "medium": "{position}有一个{size}{colour}{shape}",
        "long": "{position}有一个{shape}，它是{colour}的，{size}的。",
    },
}
AND = {"en": " and ", "zh": "和"}
COMMA = {"en": ", ", "zh": "，"}
NOTHING = {"en": "nothing {ground}", "zh": "{ground}，什么都没有"}
MEDIUM = {"en": "{objects}, {ground}", "zh": "{ground}上，{objects}"}
LONG = {
    "en": "The picture is a drawing {ground}. {objects} There is no text to read.",
    "zh": "这是一张图画，{ground}。{objects}没有可读的文字。",
}
RESIZED = {"en": "make the {shape} {size}", "zh": "把{shape}变{size}"}
THEN = {"en": ", then ", "zh": "，再"}


def composition_caption(composition: Composition, kind: str, language: str, rng: random.Random) -> str:
    """A caption of one kind: tags, short, medium, long, or user, which `rng` words."""
    match kind:
        case "tags":
            return COMMA[language].join(_tags(composition, language))
        case "user" if composition.objects:
            return _filled(rng.choice(SHORT[language]), rng.choice(composition.objects), language, rng)
        case "short" if composition.objects:
            return AND[language].join(_each(composition, kind, language))
        case "medium" if composition.objects:
            objects = (AND if language == "en" else COMMA)[language].join(_each(composition, kind, language))
            return MEDIUM[language].format(objects=objects, ground=_ground(composition, language))
        case "long":
            objects = ("" if language == "zh" else " ").join(_each(composition, kind, language))
            return " ".join(LONG[language].format(objects=objects, ground=_ground(composition, language)).split())
        case _:
            return NOTHING[language].format(ground=_ground(composition, language))


def difference_caption(before: Composition, after: Composition, language: str) -> str:
    """What to do with the first composition to get the second, one step after the other; empty where they are equal."""
    steps = [plain_instruction(edit, language).text for edit in edits_between(before, after)]
    resized = [_filled(RESIZED[language], obj, language) for obj in _resized(before, after)]
    return THEN[language].join([*steps, *resized])


def edits_between(before: Composition, after: Composition) -> Iterator[Edit]:
    """The edits that lead from one composition to the other, sizes apart; objects are known by their shapes."""
    old, new = ({obj.shape: obj for obj in each.objects} for each in (before, after))
    gone = [obj for shape, obj in old.items() if shape not in new]
    come = [obj for shape, obj in new.items() if shape not in old]
    for obj in list(gone):
        if other := next((each for each in come if each == replace(obj, shape=each.shape)), None):
            gone.remove(obj)
            come.remove(other)
            yield _edit("replace", obj, other, before)
    for shape in old.keys() & new.keys():
        was, now = old[shape], new[shape]
        if was.colour != now.colour:
            yield _edit("recolour", was, replace(was, colour=now.colour), before)
        if was.position != now.position:
            yield _edit("move", was, replace(was, row=now.row, column=now.column), before)
    for obj in gone:
        yield _edit("remove", obj, None, before)
    for obj in come:
        yield _edit("add", None, obj, before)
    if before.ground != after.ground:
        yield Edit(kind="ground", ground=before.ground, new_ground=after.ground)


def _resized(before: Composition, after: Composition) -> Iterator[SceneObject]:
    sizes = {obj.shape: obj.size for obj in before.objects}
    yield from (obj for obj in after.objects if sizes.get(obj.shape, obj.size) != obj.size)


def _edit(kind: str, before: SceneObject | None, after: SceneObject | None, composition: Composition) -> Edit:
    ground = composition.ground
    return Edit(kind=kind, before=before, after=after, ground=ground, new_ground=ground)


def _tags(composition: Composition, language: str) -> Iterator[str]:
    words = LANGUAGE_BY_CODE[language].words
    for obj in composition.objects:
        yield from (words[each][0] for each in (obj.shape, obj.colour, obj.size, f"{obj.row} {obj.column}"))
    yield _ground(composition, language)


def _each(composition: Composition, kind: str, language: str) -> list[str]:
    return [_filled(OBJECT[language][kind], obj, language) for obj in composition.objects]


def _filled(template: str, obj: SceneObject, language: str, rng: random.Random | None = None) -> str:
    words = LANGUAGE_BY_CODE[language].words
    names = {**vars(obj), "position": f"{obj.row} {obj.column}"}
    told = {
        name: rng.choice(words[value]) if rng else words[value][0] for name, value in names.items() if value in words
    }
    return template.format(**told)


def _ground(composition: Composition, language: str) -> str:
    return LANGUAGE_BY_CODE[language].words[composition.ground][0]
